import { imageStatuses, visibilities } from '@glance/domain';
import type { Formats } from '../../images/attributes.js';
import { ownProperties } from '../../images/own-properties.js';
import { type JsonSchema, readOnlyText, uuidPattern } from './json-schema.js';

const statuses = imageStatuses;

/**
 * The schema of an image. Glance: glanceclient makes its command line from it and checks values against it; `stores` is
 * left out because its commands have an option of that name already.
 */
export function imageSchema(formats: Formats): JsonSchema {
  return {
    name: 'image',
    properties: { ...baseProperties(formats), ...extraProperties(formats) },
    additionalProperties: { type: 'string' },
    links: [
      { rel: 'self', href: '{self}' },
      { rel: 'enclosure', href: '{file}' },
      { rel: 'describedby', href: '{schema}' },
    ],
  };
}

function baseProperties(formats: Formats): Readonly<Record<string, JsonSchema>> {
  return {
    id: { type: 'string', pattern: uuidPattern, description: 'Names the image; made up if not given.' },
    name: { type: ['null', 'string'], maxLength: 255, description: 'A name for people. Several images may share one.' },
    status: { type: 'string', enum: statuses, readOnly: true, description: 'Where the image is in its life.' },
    visibility: { type: 'string', enum: visibilities, description: 'Who can see and use the image.' },
    protected: { type: 'boolean', description: 'Whether the image is safe from being deleted.' },
    os_hidden: { type: 'boolean', description: 'Whether lists leave the image out unless they ask for hidden images.' },
    checksum: { type: ['null', 'string'], maxLength: 32, readOnly: true, description: 'md5 of the data, hexadecimal.' },
    os_hash_algo: {
      type: ['null', 'string'],
      maxLength: 64,
      readOnly: true,
      description: 'The digest that os_hash_value is computed by.',
    },
    os_hash_value: {
      type: ['null', 'string'],
      maxLength: 128,
      readOnly: true,
      description: 'Digest of the data by os_hash_algo, hexadecimal.',
    },
    owner: { type: ['null', 'string'], maxLength: 255, description: 'The project that the image belongs to.' },
    size: { type: ['null', 'integer'], readOnly: true, description: 'Bytes of the data.' },
    virtual_size: {
      type: ['null', 'integer'],
      readOnly: true,
      description: 'Bytes of the disk that the data stands for, where the format tells.',
    },
    container_format: {
      type: ['null', 'string'],
      enum: [null, ...formats.container],
      description: 'What the disk is wrapped in; bare if in nothing.',
    },
    disk_format: {
      type: ['null', 'string'],
      enum: [null, ...formats.disk],
      description: 'How the disk is written down.',
    },
    created_at: readOnlyText('When the image was registered.'),
    updated_at: readOnlyText('When the image was last changed.'),
    tags: {
      type: 'array',
      items: { type: 'string', maxLength: 255 },
      description: 'Words that the image can be found by.',
    },
    direct_url: readOnlyText('Where the data lies, for who may reach it there.'),
    min_ram: { type: 'integer', description: 'MiB of memory that the image needs to boot.' },
    min_disk: { type: 'integer', description: 'GiB of disk that the image needs to boot.' },
    self: readOnlyText('Path of the image itself.'),
    file: readOnlyText('Path of the data of the image.'),
    schema: readOnlyText('Path of this schema.'),
    locations: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          url: { type: 'string', maxLength: 255 },
          metadata: { type: 'object' },
          validation_data: validationData,
        },
        required: ['url', 'metadata'],
      },
      description: 'Everywhere that the data lies.',
    },
  };
}

const validationData: JsonSchema = {
  type: 'object',
  writeOnly: true,
  additionalProperties: false,
  required: ['os_hash_algo', 'os_hash_value'],
  properties: {
    checksum: { type: 'string', minLength: 32, maxLength: 32 },
    os_hash_algo: { type: 'string', maxLength: 64 },
    os_hash_value: { type: 'string', maxLength: 128 },
  },
  description: 'What the data must turn out to be.',
};

/** Glance: what is no attribute of every image is marked as such, also where a file does not say so. */
function extraProperties({ properties = ownProperties }: Formats): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, { ...schema, is_base: false }]));
}
