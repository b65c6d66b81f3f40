import { resolve } from 'node:path';
import { declare, flag, integer, text, type ValuesOf } from '@glance/config';
import type { StoreDriver, StoreProperties } from '../driver.js';
import { FileDriver } from './file/file-driver.js';

export const schemes = ['file', 'filesystem'];

export const options = declare('glance_store', {
  filesystem_store_datadir: text({
    default: '/var/lib/glance/images',
    help: 'Directory that holds the images, one file each. Created if it is missing; must be writable.',
  }),
  filesystem_store_chunk_size: integer({
    default: 524288,
    min: 4096,
    max: 16777216,
    help:
      'Bytes that are read from a file at a time; two times as much is held in memory for each download. Also the ' +
      'smallest piece that filesystem_thin_provisioning leaves out. Glance reads 65536.',
  }),
  filesystem_store_file_perm: integer({
    default: 0,
    min: 0,
    help: 'Permissions of image files as an octal number, for instance 640. With 0 the umask of the service decides.',
    check: (value) => (/^[0-7]{1,4}$/.test(String(value)) ? undefined : 'an octal number such as 640'),
  }),
  filesystem_thin_provisioning: flag({
    default: false,
    help: 'Leave pieces of zeros out, as holes in the file. Saves room, and reads the same.',
  }),
  filesystem_store_fsync: flag({
    default: true,
    ours: true,
    help:
      'Wait until an image is on the disk before it becomes active. Switched off, uploads end sooner, but after a ' +
      'power failure or a crash of the machine images that are active may be empty or damaged.',
  }),
});

export type FileSettings = ValuesOf<typeof options>;

/** A store in a directory of a file system, local or shared. */
export function create(settings: FileSettings): StoreDriver {
  return new FileDriver({
    directory: resolve(settings.filesystemStoreDatadir),
    chunkSize: settings.filesystemStoreChunkSize,
    mode: settings.filesystemStoreFilePerm === 0 ? undefined : parseInt(String(settings.filesystemStoreFilePerm), 8),
    sparse: settings.filesystemThinProvisioning,
    durable: settings.filesystemStoreFsync,
  });
}

/** Glance: the names that its clients read. */
export function properties(settings: FileSettings): StoreProperties {
  return {
    data_dir: settings.filesystemStoreDatadir,
    chunk_size: settings.filesystemStoreChunkSize,
    thin_provisioning: settings.filesystemThinProvisioning,
  };
}
