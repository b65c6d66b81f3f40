import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ServiceError } from '@glance/domain';
import { fileBytes } from '../file/file-bytes.js';
import { fileSystem } from '../file/file-system.js';
import { isMountPoint } from '../file/mount-point.js';
import { writeFile } from '../file/write-file.js';
import { type ConnectionInfo, type Device, textIn } from './device.js';

const run = promisify(execFile);

const chunkSize = 512 * 1024;
/** As file stores have it by default: see its options. */
const files = fileSystem({ timeout: 30_000, atATime: 10, mostStuck: 8 });

/** Mounts that are under way, by their places. */
const mounting = new Map<string, Promise<void>>();

/** A volume that is a raw file on an NFS share, whose file system is mounted below `base` if it is not yet. */
export async function nfsDevice(info: ConnectionInfo, base: string): Promise<Device> {
  const [share, name] = [textIn(info, 'export'), textIn(info, 'name')];
  if (!share || !/^[^-\s][^\s]*:\/\S*$/.test(share) || !name || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new ServiceError('StoreUnavailable', 'Cinder names no file on an NFS share for the volume.');
  }
  const format = textIn(info, 'format') ?? 'raw';
  if (format !== 'raw') {
    const message =
      `The volume of the image is a ${format} file; volumes of images must be raw: set nfs_qcow2_volumes = False for ` +
      'the back end of cinder_volume_type, and make no snapshots of them.';
    throw new ServiceError('StorageDenied', message);
  }
  // Glance: the name that it gives the directory, too.
  const directory = join(base, 'nfs', createHash('sha256').update(share).digest('hex'));
  await mounted(share, directory, textIn(info, 'options'));
  const path = join(directory, name);
  return {
    write: (data, start, signal) =>
      writeFile(files, path, data, { start, sparse: true, chunkSize, durable: true, signal }),
    read: (start, end, signal) => fileBytes(files, path, { start, end, chunkSize, signal }),
    async close() {
      // Files are open only while they are read or written. The share stays mounted.
    },
  };
}

function mounted(share: string, directory: string, options: string | undefined): Promise<void> {
  const known = mounting.get(directory);
  if (known) return known;
  const mount = ensureMounted(share, directory, options).finally(() => mounting.delete(directory));
  mounting.set(directory, mount);
  return mount;
}

async function ensureMounted(share: string, directory: string, options = ''): Promise<void> {
  if (await isMountPoint(directory)) return;
  const parameters = options.split(/\s+/).filter((word) => word !== '' && word !== '-o');
  // Not options of mount itself.
  const list = parameters.filter((word) => !word.startsWith('-')).join();
  try {
    await mkdir(directory, { recursive: true });
    await run('mount', ['-t', 'nfs', ...(list === '' ? [] : ['-o', list]), share, directory], { timeout: 60_000 });
  } catch (cause) {
    const message =
      `The NFS share ${share} cannot be mounted by the service; mount it beforehand: ` +
      `mount -t nfs ${share} ${directory}`;
    throw new ServiceError('StoreUnavailable', message, {}, { cause });
  }
}
