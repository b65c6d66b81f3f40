import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../tools/services/ceph.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { filesAndCeph } from './files-and-ceph.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { root } from './service.js';
import { SteadyLoad } from './steady-load.js';

const MiB = 1024 * 1024;

/** The commands of docs/operations.md below a comment that says what they are for. */
function documented(purpose: string): string {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const blocks = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block]) => block!);
  return blocks.find((block) => block.startsWith(`# ${purpose}\n`))!;
}

describe('a backup made and restored as docs/operations.md says', () => {
  const directory = scratchDirectory('disk');
  const backup = join(directory.path, 'backup');
  let ceph: Ceph;
  let service: Installation;
  let api: Part;
  let images: ImageClient;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    mkdirSync(backup);
    ceph = await startCeph();
    const store = filesAndCeph(join(directory.path, 'images'), ceph, { scrub_time: 3600 });
    const configuration = join(directory.path, 'stores.conf');
    writeFileSync(configuration, store);
    service = await install({ more: configuration });
    api = await service.part('glance-api');
    const registry = await service.part('glance-registry');
    await Promise.all([api.start(), registry.start()]);
    images = imageClient(api.url);
    env = environment();
  });
  afterAll(async () => {
    await service.close();
    await ceph.close();
    directory.remove();
  });

  function environment(): NodeJS.ProcessEnv {
    const database = new URL(service.databaseUrl.replace(/^mysql\+pymysql/, 'http'));
    const login = join(directory.path, '.my.cnf');
    const { username, password, hostname, port } = database;
    writeFileSync(login, `[client]\nuser=${username}\npassword=${password}\nhost=${hostname}\nport=${port}\n`);
    return {
      ...process.env,
      HOME: directory.path,
      PATH: `${join(root, 'bin')}:${process.env['PATH']!}`,
      DATABASE: database.pathname.slice(1),
      BACKUP: backup,
      IMAGES: join(directory.path, 'images'),
      CONFIG: service.configFile,
      POOL: ceph.pool,
      CEPH_ARGS: `--conf ${ceph.conf} --name client.admin --keyring ${ceph.adminKeyring}`,
    };
  }
  const follow = (purpose: string): Promise<unknown> => run('sh', ['-euc', documented(purpose)], { env });

  it('has every image that was confirmed before, although clients went on, and works again', async () => {
    const known = new Map<string, Buffer>();
    for (const store of ['files', 'ceph']) {
      for (const size of [0, 1, 9 * MiB]) {
        const id = await images.create();
        const data = randomBytes(size);
        const reply = await images.upload(id, data, { 'x-image-meta-store': store });
        expect(reply.status).toBe(204);
        known.set(id, data);
      }
    }
    const load = new SteadyLoad({ url: api.url });
    await load.recovers();
    const [gone] = known.keys();
    await follow('back up');
    // Deleted after the copy of the database, before that of the data: the copy has it all the same.
    await images.remove(gone!);
    await follow('back up, ceph');
    await load.settle();
    expect(load.wrong).toEqual([]);

    for (const part of service.parts) await part.stop();
    await service.mariadb.execute(`DROP DATABASE ${env['DATABASE']!}; CREATE DATABASE ${env['DATABASE']!}`);
    rmSync(env['IMAGES']!, { recursive: true });
    for (const id of (await ceph.rbd('--pool', ceph.pool, 'ls')).trim().split('\n')) {
      await ceph.rbd('snap', 'unprotect', `${ceph.pool}/${id}@snap`);
      await ceph.rbd('snap', 'purge', '--no-progress', `${ceph.pool}/${id}`);
      await ceph.rbd('rm', '--no-progress', `${ceph.pool}/${id}`);
    }

    await follow('restore, with all processes stopped');
    await follow('restore, ceph');
    await Promise.all(service.parts.map((part) => part.start()));
    for (const [id, data] of known) {
      const { body, status } = await images.download(id);
      expect([status, body.equals(data)], `${id}, ${data.length} bytes`).toEqual([200, true]);
    }
    const active = (await images.list()).filter(({ status }) => status === 'active');
    expect(active.length).toBeGreaterThanOrEqual(known.size);
    for (const { id } of active) expect((await images.download(id)).status).toBe(200);
    const after = new SteadyLoad({ url: api.url });
    await after.recovers();
    await after.settle();
    expect(after.wrong).toEqual([]);
  });
});
