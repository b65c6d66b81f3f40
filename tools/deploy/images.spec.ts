import { chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../e2e/command.js';
import { imageClient } from '../../e2e/image-client.js';
import { says } from '../../e2e/installation.js';
import { type Ceph, startCeph } from '../services/ceph.js';
import { type Mariadb, startMariadb } from '../services/mariadb.js';
import { freePort } from '../services/ports.js';
import { type Rabbitmq, startRabbitmq } from '../services/rabbitmq.js';
import { type ScratchDirectory, scratchDirectory } from '../services/scratch-directory.js';
import { type ServerProcess, startProcess } from '../services/server-process.js';
import { contained } from './contained.js';
import { buildImages, type ImageRoots } from './image-roots.js';

const MiB = 1024 * 1024;
const user = 42415;

let images: ImageRoots;
let mariadb: Mariadb;
let rabbitmq: Rabbitmq;
let ceph: Ceph;
const processes: ServerProcess[] = [];
const directory: ScratchDirectory = scratchDirectory('disk');
const mounts = { '/etc/glance': join(directory.path, 'etc'), '/var/lib/glance': join(directory.path, 'lib') };

beforeAll(async () => {
  images = await buildImages(['glance-registry', 'glance-scrubber', 'glance-api']);
  [mariadb, rabbitmq, ceph] = await Promise.all([startMariadb(), startRabbitmq(), startCeph()]);
  for (const path of Object.values(mounts)) mkdirSync(path);
  chownSync(mounts['/var/lib/glance'], user, user);
  copyFileSync(ceph.keyring, join(mounts['/etc/glance'], 'keyring'));
  chownSync(join(mounts['/etc/glance'], 'keyring'), user, user);
  await run('sh', [
    '-c',
    `sed 's|^keyring = .*|keyring = /etc/glance/keyring|' ${ceph.conf} >$0`,
    `${mounts['/etc/glance']}/ceph.conf`,
  ]);
  writeFileSync(join(mounts['/etc/glance'], 'glance-api.conf'), await configuration());
}, 2_400_000);
afterAll(async () => {
  for (const process of processes) await process.kill();
  await images.close();
  await Promise.all([mariadb.close(), rabbitmq.close(), ceph.close()]);
  directory.remove();
}, 600_000);

async function configuration(): Promise<string> {
  return `[DEFAULT]
bind_host = 127.0.0.1
workers = 1
transport_url = ${rabbitmq.url}
delayed_delete = True
enabled_backends = files:file,ceph:rbd
[database]
connection = ${await mariadb.createDatabase()}
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = /var/lib/glance/images
[os_glance_staging_store]
filesystem_store_datadir = /var/lib/glance/staging
[ceph]
rbd_store_ceph_conf = /etc/glance/ceph.conf
rbd_store_user = ${ceph.user}
rbd_store_pool = ${ceph.pool}
`;
}

/** Runs a program of an image to its end. */
function once(stage: string, command: readonly string[]) {
  const [program, ...args] = contained(images.roots[stage]!, command, mounts);
  return run(program!, args, { failure: 'answer' });
}

/** Starts what an image starts by itself, and answers with the ports that it has. */
async function start(stage: string): Promise<{ url: string }> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const image = images.roots[stage]!;
  const own = [`OS_DEFAULT__BIND_PORT=${port}`, `OS_DEFAULT__ADMIN_PORT=${adminPort}`];
  const [program, ...args] = contained(image, [...own, ...image.command], mounts);
  const ready = () => says(`http://127.0.0.1:${adminPort}`, 'ready');
  processes.push(await startProcess({ command: program!, args, ready, patience: 120_000 }));
  return { url: `http://127.0.0.1:${port}` };
}

it('the images run as somebody without rights, on a root that cannot be written', async () => {
  for (const stage of Object.keys(images.roots)) {
    const { stdout } = await once(stage, [
      'sh',
      '-c',
      'id -u; grep CapEff /proc/self/status; touch /opt/x 2>&1 || true',
    ]);
    expect(stdout).toMatch(/^42415\nCapEff:\s+0+\n.*Read-only file system/);
    expect((await once(stage, [images.roots[stage]!.command[0]!, '--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  }
});

it('they have what they need, and no more: Ceph where images are read, qemu where they are converted', async () => {
  const has = async (stage: string): Promise<string> =>
    (
      await once(stage, [
        'sh',
        '-c',
        'ls /usr/lib/*/librbd.so.1 /usr/bin/qemu-img /usr/bin/npm /usr/bin/gcc 2>/dev/null',
      ])
    ).stdout;
  expect(await has('glance-registry')).toBe('');
  expect(await has('glance-scrubber')).toMatch(/^\S+librbd.so.1\n$/);
  expect(await has('glance-api')).toMatch(/^\S*(qemu-img|librbd.so.1)\n\S*(qemu-img|librbd.so.1)\n$/);
  const sizes = Object.entries(images.roots).map(([stage, { size }]) => `${stage}: ${size} MiB`);
  console.log(`More than the plain Debian: ${sizes.join(', ')}`);
  const { size } = images.roots['glance-registry']!;
  // Node alone has more than a hundred.
  expect(size).toBeGreaterThan(100);
  expect(size).toBeLessThan(300);
});

it('they are a service: a schema, images as files and in Ceph, and a scrubber that erases them', async () => {
  for (const step of ['expand', 'migrate', 'contract', 'check']) {
    const { code, stderr } = await once('glance-registry', ['glance-manage', 'db', step]);
    expect([step, code, stderr]).toEqual([step, 0, '']);
  }
  await start('glance-registry');
  const { url } = await start('glance-api');
  const client = imageClient(url);
  const data = Buffer.alloc(9 * MiB, 'image');
  const ids: string[] = [];
  for (const store of ['files', 'ceph']) {
    const id = await client.create();
    const uploaded = await client.upload(id, data, { 'x-image-meta-store': store });
    expect([store, uploaded.status, uploaded.body.toString()]).toEqual([store, 204, '']);
    expect((await client.download(id)).body.equals(data)).toBe(true);
    expect((await client.remove(id)).status).toBe(204);
    ids.push(id);
  }
  expect(await ceph.rbd('--pool', ceph.pool, 'ls')).toContain(ids[1]);
  const { stdout, code } = await once('glance-scrubber', ['glance-scrubber']);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^2 deleted/)]);
  expect((await ceph.rbd('--pool', ceph.pool, 'ls')).trim()).toBe('');
  for (const process of processes) {
    process.signal('SIGTERM');
    expect((await process.exited).code).toBe(0);
  }
});
