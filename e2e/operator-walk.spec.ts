import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packstackFile } from '../libs/config/src/testing/packstack-file.js';
import { type Ceph, startCeph } from '../tools/services/ceph.js';
import { type Keystone, startKeystone } from '../tools/services/keystone.js';
import { type Mariadb, startMariadb } from '../tools/services/mariadb.js';
import { freePort } from '../tools/services/ports.js';
import { type Rabbitmq, startRabbitmq } from '../tools/services/rabbitmq.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type ServerProcess, startProcess } from '../tools/services/server-process.js';
import { type CommandResult, run } from './command.js';
import { type Desk, keystoneClients } from './keystone-clients.js';
import { command, isHealthy, target } from './service.js';
import { tableRecord } from './stock-clients.js';
import { until } from './until.js';

const MiB = 1024 * 1024;

/** The file of a packstack deployment, with nothing changed but addresses, passwords and paths. */
function withAddresses(changes: Readonly<Record<string, string | number>>): string {
  return Object.entries(changes).reduce((file, [name, value]) => {
    const line = new RegExp(`^${name} ?=.*$`, 'm');
    if (!line.test(file)) throw new Error(`The file has no option ${name}.`);
    return file.replace(line, () => `${name} = ${value}`);
  }, packstackFile);
}

describe.runIf(target === 'ours')('an operator with the file of a packstack deployment', { timeout: 120_000 }, () => {
  const scratch = scratchDirectory('disk');
  const at = (name: string): string => join(scratch.path, name);
  const configFile = at('glance-api.conf');
  const servers: ServerProcess[] = [];
  let ceph: Ceph;
  let keystone: Keystone;
  let mariadb: Mariadb;
  let rabbitmq: Rabbitmq;
  let desk: Desk;

  beforeAll(async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    [ceph, keystone, mariadb, rabbitmq] = await Promise.all([
      startCeph(),
      startKeystone(url),
      startMariadb(),
      startRabbitmq(),
    ]);
    desk = keystoneClients(keystone);
    // As guides of the time said.
    const osd = 'allow class-read object_prefix rbd_children, allow rwx pool=images';
    await ceph.ceph('auth', 'caps', 'client.glance', 'mon', 'allow r', 'osd', osd);
    // Statistics are of the manager.
    await ceph.mgr.start();
    mkdirSync(at('log'));
    const file = withAddresses({
      bind_port: port,
      workers: 2,
      image_cache_dir: at('cache'),
      log_file: at('log/api.log'),
      log_dir: at('log'),
      transport_url: rabbitmq.url,
      connection: await mariadb.createDatabase(),
      rbd_store_ceph_conf: ceph.conf,
      www_authenticate_uri: `${keystone.url}/v3`,
      auth_url: keystone.url,
      password: keystone.password,
      project_name: 'service',
      policy_file: at('policy.json'),
    });
    writeFileSync(configFile, file);
    writeFileSync(at('policy.json'), '{}');
    await tool('glance-manage', 'db', 'sync');
    for (const [program, ready] of [
      ['glance-registry', async () => true],
      ['glance-api', () => isHealthy(url)],
    ] as const) {
      servers.push(
        await startProcess({ command: command(program), args: ['--config-file', configFile], ready, patience: 60_000 }),
      );
    }
  }, 240_000);
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.kill()));
    desk.close();
    await Promise.all([keystone.close(), mariadb.close(), rabbitmq.close(), ceph.close()]);
    scratch.remove();
  });

  const tool = (program: string, ...words: string[]): Promise<CommandResult> =>
    run(command(program), ['--config-file', configFile, ...words], { cwd: scratch.path });
  const images = async (): Promise<string[]> => (await ceph.rbd('-p', 'images', 'ls')).split('\n');
  const trash = (): Promise<string> => ceph.rbd('-p', 'images', 'trash', 'ls');
  const stored = async (): Promise<number> => {
    const { pools } = JSON.parse(await ceph.ceph('df', '-f', 'json')) as {
      pools: { name: string; stats: { stored: number } }[];
    };
    return pools.find(({ name }) => name === 'images')!.stats.stored;
  };
  const glance = (...words: string[]): Promise<string> =>
    desk.as({ user: 'admin', project: 'admin' }).glance('--os-image-api-version', '2', ...words);
  const formats = (kind: string): string[] => ['--disk-format', kind, '--container-format', 'bare'];

  it('sees an image in the pool as it was uploaded, and gets it back', async () => {
    writeFileSync(at('disk.raw'), randomBytes(20 * MiB));
    const file = at('X.qcow2');
    await run('qemu-img', ['convert', '-O', 'qcow2', at('disk.raw'), file]);
    const before = await stored();
    const { id = '', ...image } = tableRecord(
      await glance(
        'image-create',
        '--name',
        'centos7.9',
        '--file',
        file,
        ...formats('qcow2'),
        '--visibility',
        'public',
      ),
    );
    expect(image).toMatchObject({ name: 'centos7.9', status: 'active', visibility: 'public' });
    await until('ceph df shows the growth', async () => (await stored()) - before > 19 * MiB);
    expect(await images()).toContain(id);
    const [snapshot, ...more] = JSON.parse(
      await ceph.rbd('snap', 'ls', `images/${id}`, '--format', 'json'),
    ) as object[];
    expect(snapshot).toMatchObject({ name: 'snap', protected: 'true' });
    expect(more).toEqual([]);
    const info = JSON.parse(await ceph.rbd('info', `images/${id}`, '--format', 'json')) as object;
    expect(info).toMatchObject({ order: 23, format: 2, features: expect.arrayContaining(['layering']) as string[] });
    await ceph.rbd('export', '--no-progress', `images/${id}`, at('exported'));
    expect(readFileSync(at('exported')).equals(readFileSync(file))).toBe(true);
    await glance('image-download', '--file', at('downloaded'), id);
    expect(readFileSync(at('downloaded')).equals(readFileSync(file))).toBe(true);
    await glance('image-delete', id);
    expect(await images()).not.toContain(id);
    expect(await trash()).toBe('');
  });

  it('clones a raw image, is told of the clones, and cannot harm them by deleting it', async () => {
    const { id = '' } = tableRecord(
      await glance('image-create', '--name', 'raw', '--file', at('disk.raw'), ...formats('raw')),
    );
    const clone = (format: string, name: string): Promise<string> =>
      ceph.rbd('clone', '--rbd-default-clone-format', format, `images/${id}@snap`, `images/${name}`);
    const holders = async (): Promise<string> => (await tool('glance', 'image', 'holders', id)).stdout;
    expect(await holders()).toContain(`images/${id}: nothing holds it`);
    await clone('1', 'old');
    await clone('2', 'new');
    expect(await holders()).toContain('clone    images/old\n');
    await expect(glance('image-delete', id)).rejects.toThrow(/409|in use/i);
    await ceph.rbd('rm', '--no-progress', 'images/old');
    await glance('image-delete', id);
    expect(await images()).not.toContain(id);
    expect(await trash()).toContain(id);
    const told = await holders();
    expect(told).toContain('deleted and in the trash: held by\n  clone    images/new\n');
    await ceph.rbd('export', '--no-progress', 'images/new', at('cloned'));
    expect(readFileSync(at('cloned')).equals(readFileSync(at('disk.raw')))).toBe(true);
    await tool('glance-scrubber');
    expect(await trash()).toContain(id);
    await ceph.rbd('flatten', '--no-progress', 'images/new');
    await tool('glance-scrubber');
    expect(await trash()).toBe('');
    expect((await run(command('glance'), ['--config-file', configFile, 'image', 'holders', id], { failure: 'answer' })).code).toBe(1); // prettier-ignore
  });
});
