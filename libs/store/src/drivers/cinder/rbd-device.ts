import { existsSync } from 'node:fs';
import { Cluster, type ClusterOptions, type Image, isRadosError } from '@glance/node-rados';
import { ServiceError } from '@glance/domain';
import { Buffers } from '../../buffers.js';
import { storeError } from '../../store-error.js';
import { bufferSize } from '../rbd/buffer-size.js';
import { imageBytes } from '../rbd/image-bytes.js';
import { writeImage } from '../rbd/write-image.js';
import { type ConnectionInfo, type Device, textIn } from './device.js';

/** Of all streams of this process together, besides the few that each has. */
const buffers = new Buffers(32 * bufferSize);

/** Connections by their options, and how many volumes use them. */
const clusters = new Map<string, { readonly cluster: Promise<Cluster>; users: number }>();

/** A volume that is an RBD image of a Ceph cluster. */
export async function rbdDevice(info: ConnectionInfo): Promise<Device> {
  const [, poolName, name] = /^([^/]+)\/([^/]+)$/.exec(textIn(info, 'name') ?? '') ?? [];
  if (poolName === undefined || name === undefined) {
    throw new ServiceError('StoreUnavailable', 'Cinder names no RBD image for the volume.');
  }
  const options = clusterOptions(info);
  const key = JSON.stringify(options);
  const held = clusters.get(key) ?? { cluster: Cluster.connect(options), users: 0 };
  clusters.set(key, held);
  held.users++;
  const close = async (): Promise<void> => {
    if (--held.users > 0) return;
    clusters.delete(key);
    await (await held.cluster.catch(() => undefined))?.close();
  };
  const open = async (target: { name: string } | { id: string }, readOnly: boolean): Promise<Image> => {
    const pool = await (await held.cluster).pool(poolName);
    return pool.open({ ...target, readOnly });
  };
  await held.cluster.catch(async (error: unknown) => {
    await close();
    throw refusal(error, options);
  });
  return {
    async write(data, start, signal) {
      await using image = await open({ name }, false).catch(asStoreError);
      await writeImage(image, data, { sparse: true, start, buffers, signal }).catch(asStoreError);
    },
    read: (start, end, signal) =>
      imageBytes({
        start,
        end,
        buffers,
        signal,
        open: (id) => open(id === undefined ? { name } : { id }, true).catch(asStoreError),
      }),
    close,
  };
}

/** As os-brick connects: what Cinder says of the monitors and the user, and the user's keyring on this machine. */
function clusterOptions(info: ConnectionInfo): ClusterOptions {
  const cluster = textIn(info, 'cluster_name') ?? 'ceph';
  const user = textIn(info, 'auth_username');
  const conf = `/etc/ceph/${cluster}.conf`;
  const [hosts, ports] = [listIn(info, 'hosts'), listIn(info, 'ports')];
  const monitors = hosts.map((host, index) => (ports[index] === undefined ? host : `${host}:${ports[index]}`)).join();
  // Cinder has given it away until Victoria.
  const key = /^\s*key\s*=\s*(\S+)/m.exec(textIn(info, 'keyring') ?? '')?.[1];
  return {
    conf: existsSync(conf) ? conf : '/dev/null',
    user,
    ...(key !== undefined ? { key } : { keyring: `/etc/ceph/${cluster}.client.${user ?? 'admin'}.keyring` }),
    options: monitors === '' ? {} : { mon_host: monitors },
  };
}

function listIn(info: ConnectionInfo, name: string): string[] {
  const value = info[name];
  return Array.isArray(value) ? value.map(String) : [];
}

function asStoreError(error: unknown): never {
  throw isRadosError(error) ? storeError(error) : error;
}

function refusal(cause: unknown, { user = 'admin', keyring }: ClusterOptions): ServiceError {
  if (!isRadosError(cause)) return new ServiceError('StoreUnavailable', (cause as Error).message, {}, { cause });
  const message = `The Ceph cluster of the volume does not let client.${user} in (${cause.code})`;
  const hint = keyring === undefined ? '.' : `; its keyring must be in ${keyring}.`;
  const denied = ['ENOENT', 'EACCES', 'EPERM', 'EINVAL'].includes(cause.code);
  return new ServiceError(denied ? 'StorageDenied' : 'StoreUnavailable', message + hint, {}, { cause });
}
