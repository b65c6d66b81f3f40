import { resolve } from 'node:path';
import { declare, flag, integer, multi, text, type ValuesOf } from '@glance/config';
import type { StoreDriver, StoreProperties } from '../driver.js';
import { FileDirectories } from './file/file-directories.js';
import { FileDriver } from './file/file-driver.js';
import { shareMetadata } from './file/share-metadata.js';

export const schemes = ['file', 'filesystem'];

export const options = declare('glance_store', {
  filesystem_store_datadir: text({
    default: '/var/lib/glance/images',
    help: 'Directory that holds the images, one file each. Created if it is missing; must be writable.',
  }),
  filesystem_store_datadirs: multi({
    default: [],
    deprecated: 'since 2025.2; make each directory a store of enabled_backends',
    help:
      'Several directories instead of filesystem_store_datadir, each as path or path:priority. A new image goes into the ' +
      'one with the most room among those of the highest priority that have room for it.',
    check: (values) =>
      values.every((value) => directoryOf(value) !== undefined)
        ? undefined
        : 'absolute paths, each with a priority behind a colon or without',
  }),
  filesystem_store_metadata_file: text({
    help:
      'Path of a JSON file with id and mountpoint of the share that the directory is in, or a list of such objects. They ' +
      'go into the metadata of new locations, for clients that have mounted the same share.',
  }),
  filesystem_store_mount_point: text({
    ours: true,
    help:
      'Where a file system must be mounted, or the store takes nothing and erases nothing. If absent, where one was when ' +
      'the process first used the store.',
    check: (value) => (value.startsWith('/') ? undefined : 'an absolute path'),
  }),
  filesystem_store_timeout: integer({
    default: 30,
    min: 0,
    help:
      'Seconds after which a file system that does not answer, such as NFS whose server is away, counts as unavailable; ten ' +
      'times as many for bringing data to the disk. With 0 it is waited for without an end, as Glance does by default.',
  }),
  filesystem_store_thread_pool_size: integer({
    default: 10,
    min: 1,
    max: 1024,
    help:
      'Calls to the file system of the store that are under way at a time. Keep it below UV_THREADPOOL_SIZE, which is 16 ' +
      'unless the environment says otherwise: what is between is left for everything else while a file system hangs.',
  }),
  filesystem_store_threadpool_threshold: integer({
    default: 75,
    min: 1,
    max: 100,
    help: 'Percent of filesystem_store_thread_pool_size: as many calls without an answer, and no more are made.',
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
  const { filesystemStoreTimeout: seconds, filesystemStoreThreadPoolSize: atATime } = settings;
  const { filesystemStoreMetadataFile: metadataFile } = settings;
  const metadataOf = metadataFile === undefined ? undefined : shareMetadata(metadataFile);
  const driver = (path: string): FileDriver => {
    const directory = resolve(path);
    return new FileDriver({
      directory,
      chunkSize: settings.filesystemStoreChunkSize,
      mode: settings.filesystemStoreFilePerm === 0 ? undefined : parseInt(String(settings.filesystemStoreFilePerm), 8),
      sparse: settings.filesystemThinProvisioning,
      durable: settings.filesystemStoreFsync,
      mountPoint: settings.filesystemStoreMountPoint?.replace(/(?<=.)\/+$/, ''),
      ...(metadataOf && { metadata: metadataOf(directory) }),
      ...(seconds > 0 && {
        patience: {
          timeout: seconds * 1000,
          atATime,
          mostStuck: Math.ceil((atATime * settings.filesystemStoreThreadpoolThreshold) / 100),
        },
      }),
    });
  };
  const several = settings.filesystemStoreDatadirs.map((value) => directoryOf(value)!);
  if (several.length === 0) return driver(settings.filesystemStoreDatadir);
  return new FileDirectories(several.map(({ path, priority }) => ({ driver: driver(path), priority })));
}

function directoryOf(value: string): { readonly path: string; readonly priority: number } | undefined {
  const [, path, priority = '0'] = /^\s*(\/.*?)(?::(\d+))?\s*$/.exec(value) ?? [];
  return path === undefined ? undefined : { path, priority: Number(priority) };
}

/** Glance: the names that its clients read. */
export function properties(settings: FileSettings): StoreProperties {
  return {
    data_dir: settings.filesystemStoreDatadirs.join(',') || settings.filesystemStoreDatadir,
    chunk_size: settings.filesystemStoreChunkSize,
    thin_provisioning: settings.filesystemThinProvisioning,
  };
}
