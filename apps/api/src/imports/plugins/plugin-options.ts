import { choice, declare, dict, flag, integer, list, type ValuesOf } from '@glance/config';

/** Glance's names. */
const pluginNames = ['inject_image_metadata', 'image_conversion', 'image_decompression', 'no_op'];

const importOptions = declare('image_import_opts', {
  image_import_plugins: list({
    default: [],
    help: 'What is done to imported data before it is stored, in this order: image_decompression, image_conversion, inject_image_metadata.',
    check: (names) =>
      names.every((name) => pluginNames.includes(name)) ? undefined : `some of ${pluginNames.join(', ')}`,
  }),
});

const injectOptions = declare('inject_metadata_properties', {
  ignore_user_roles: list({ default: ['admin'], help: 'Whose images get no properties: anybody who has such a role.' }),
  inject: dict({ default: {}, help: 'Properties that every imported image gets: "name": "value", … .' }),
});

const conversionOptions = declare('image_conversion', {
  output_format: choice(['raw', 'qcow2', 'vmdk'], {
    default: 'raw',
    help: 'The disk format that imported images are converted to. To raw is fastest: nothing but the stores is written.',
  }),
  conversions: integer({
    default: 2,
    min: 1,
    ours: true,
    help: 'How many images one process converts at the same time.',
  }),
  convert_uploads: flag({
    default: false,
    ours: true,
    help:
      'Convert what is uploaded by PUT …/file, too, whether or not image_conversion is one of image_import_plugins. ' +
      'Signed images are left as they are.',
  }),
});

const decompressionOptions = declare('image_decompression', {
  max_size: integer({
    default: 0,
    min: 0,
    ours: true,
    help: 'Bytes that compressed data may become; 0: as many as an image may have. Data that becomes more is refused.',
  }),
});

/** Options of what happens to imported data on its way. */
export const pluginDeclarations = [importOptions, injectOptions, conversionOptions, decompressionOptions] as const;

/** All that can be set about plugins. */
export type PluginSettings = ValuesOf<typeof importOptions> &
  ValuesOf<typeof injectOptions> &
  ValuesOf<typeof conversionOptions> &
  ValuesOf<typeof decompressionOptions>;
