import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Ceph } from './ceph.js';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);
const python = '/usr/bin/python3';

/** Debian packages that Cinder needs; they are not among those of all tests. */
export const cinderPackages = ['cinder-api', 'cinder-scheduler', 'cinder-volume', 'nfs-common', 'python3-rbd', 'sudo'];

/** The NFS share of the back end `nfs`. No server has it: what is mounted in its place is a file system in memory. */
export const cinderShare = '127.0.0.1:/volumes';

const cinderProject = '0123456789abcdef0123456789abcdef';
/** Cinder believes what a token says: this user is an administrator. */
export const cinderToken = `glance:${cinderProject}`;

export interface Cinder {
  /** Of the API, with the project. */
  readonly url: string;
  /** Of the share's file system on this machine. */
  readonly share: string;
  /** What the services have written so far. */
  log(): string;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

/**
 * Debian's Cinder without Keystone (noauth), with the volume types `ceph`, in the pool of a cluster, and `nfs`. Ready in
 * half a minute.
 */
export async function startCinder(servers: { rabbit: string; ceph: Ceph }): Promise<Cinder> {
  const directory = scratchDirectory('memory');
  const at = (...names: string[]): string => join(directory.path, ...names);
  const port = await freePort();
  // Not in the scratch directory: one that has a file system mounted in it cannot be removed by others.
  const mounts = await mkdtemp(join(tmpdir(), 'glance-cinder-'));
  const share = join(mounts, createHash('md5').update(cinderShare).digest('hex'));
  const cluster = `glance-test-${port}`;
  // Where clients of its volumes look for them.
  const clusterFiles = [
    [servers.ceph.conf, `/etc/ceph/${cluster}.conf`],
    [servers.ceph.adminKeyring, `/etc/ceph/${cluster}.client.admin.keyring`],
  ] as const;
  const origin = `http://127.0.0.1:${port}`;
  const processes: ServerProcess[] = [];
  const cinder: Cinder = {
    url: `${origin}/v3/${cinderProject}`,
    share,
    log: () => processes.map((each) => each.log()).join('\n'),
    async close() {
      await Promise.all(processes.map((each) => each.stop()));
      await run('umount', [share]);
      await rm(mounts, { recursive: true });
      for (const [, path] of clusterFiles) await rm(path, { force: true });
      directory.remove();
    },
  };
  await mkdir(share);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4g', cinderShare, share]);
  try {
    for (const [from, to] of clusterFiles) await copyFile(from, to);
    await writeFile(at('shares'), `${cinderShare}\n`);
    await writeFile(at('cinder.conf'), configuration(directory.path, mounts, port, servers));
    const env = { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    await run(python, ['/usr/bin/cinder-manage', '--config-file', at('cinder.conf'), 'db', 'sync'], { env });
    const up = async (): Promise<boolean> =>
      (await listens(port)) && (await fetch(origin).catch(() => undefined))?.status === 300;
    for (const name of ['api', 'scheduler', 'volume']) {
      const args = [`/usr/bin/cinder-${name}`, '--config-file', at('cinder.conf')];
      const ready = name === 'api' ? up : async (): Promise<boolean> => true;
      processes.push(await startProcess({ command: python, args, env, ready, patience: 120_000 }));
    }
    await makeTypes(cinder);
    return cinder;
  } catch (cause) {
    await cinder.close();
    throw new Error(`Cinder did not start: ${String(cause)}\n${cinder.log()}`, { cause });
  }
}

function configuration(
  directory: string,
  mounts: string,
  port: number,
  { rabbit, ceph }: { rabbit: string; ceph: Ceph },
): string {
  return `[DEFAULT]
state_path = ${directory}
api_paste_config = /etc/cinder/api-paste.ini
resource_query_filters_file = /etc/cinder/resource_filters.json
rootwrap_config = /etc/cinder/rootwrap.conf
transport_url = ${rabbit}
auth_strategy = noauth
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = ${port}
osapi_volume_workers = 1
enabled_backends = ceph,nfs
default_volume_type = ceph
periodic_interval = 5
[database]
connection = sqlite:///${directory}/cinder.db?timeout=60
[oslo_concurrency]
lock_path = ${directory}/locks
[coordination]
backend_url = file://${directory}/coordination
[oslo_messaging_notifications]
driver = noop
[ceph]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = ceph
rbd_pool = ${ceph.pool}
rbd_user = admin
rbd_cluster_name = glance-test-${port}
rbd_ceph_conf = ${ceph.conf}
rados_connect_timeout = 20
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = ${directory}/shares
nfs_mount_point_base = ${mounts}
nas_secure_file_operations = true
nas_secure_file_permissions = true
`;
}

/** Volume types, and waits until there are volumes of them. */
async function makeTypes(cinder: Cinder): Promise<void> {
  const ask = async (method: string, path: string, body?: object): Promise<Record<string, never>> => {
    const headers = { 'x-auth-token': cinderToken, 'content-type': 'application/json' };
    const sent = body && { body: JSON.stringify(body) };
    const answer = await fetch(`${cinder.url}${path}`, { method, headers, ...sent });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}\n${cinder.log()}`);
    return (await answer.json()) as Record<string, never>;
  };
  for (const name of ['ceph', 'nfs']) {
    const volume_type = { name, extra_specs: { volume_backend_name: name } };
    await ask('POST', '/types', { volume_type });
  }
  const isUp = ({ binary, state }: { binary: string; state: string }): boolean =>
    state === 'up' && ['cinder-scheduler', 'cinder-volume'].includes(binary);
  const until = async (ready: () => Promise<boolean>): Promise<void> => {
    for (const deadline = Date.now() + 120_000; !(await ready());) {
      if (Date.now() > deadline) throw new Error('It has not both of its back ends.');
      await delay(200);
    }
  };
  // A scheduler that is asked before it listens never answers.
  await until(async () => {
    const { services } = (await ask('GET', '/os-services')) as unknown as { services: Parameters<typeof isUp>[0][] };
    return services.filter(isUp).length >= 3;
  });
  await until(async () => {
    const { pools } = (await ask('GET', '/scheduler-stats/get_pools')) as unknown as { pools: unknown[] };
    return pools.length >= 2;
  });
}
