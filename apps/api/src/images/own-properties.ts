import { type JsonSchema, uuidPattern } from '../discovery/schemas/json-schema.js';

const text = (description: string): JsonSchema => ({ type: 'string', description });

/** The properties that the schema of an image names unless a `schema-image.json` does. */
export const ownProperties: Readonly<Record<string, JsonSchema>> = {
  kernel_id: {
    type: ['null', 'string'],
    pattern: uuidPattern,
    description: 'The image that holds the kernel to boot this one with.',
  },
  ramdisk_id: {
    type: ['null', 'string'],
    pattern: uuidPattern,
    description: 'The image that holds the ramdisk to boot this one with.',
  },
  instance_uuid: text('The server that the image is a snapshot of.'),
  architecture: text('The processor architecture that the image is made for.'),
  os_distro: text('The distribution of the operating system inside, in lower case.'),
  os_version: text('The version of the operating system, in the words of its distributor.'),
  description: text('What the image is, for people.'),
  cinder_encryption_key_id: text('The key that a volume image is encrypted with.'),
  cinder_encryption_key_deletion_policy: {
    type: 'string',
    enum: ['on_image_deletion', 'do_not_delete'],
    description: 'Whether the key goes when the image is deleted.',
  },
};
