import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { type Haproxy, startHaproxy } from './haproxy.js';
import { holdTransfers } from './held-transfers.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { buildOlderRelease } from './older-release.js';
import { root } from './service.js';
import { SteadyLoad } from './steady-load.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const older = scratchDirectory('disk');
let service: Installation;
let proxy: Haproxy;
let images: ImageClient;
const apis: Part[] = [];
const registries: Part[] = [];

beforeAll(async () => {
  await buildOlderRelease(older.path);
  service = await install({ settings: { shutdown_notice: 4 }, release: older.path });
  for (let i = 0; i < 2; i += 1) {
    apis.push(await service.part('glance-api'));
    registries.push(await service.part('glance-registry'));
  }
  await Promise.all(service.parts.map((part) => part.start()));
  proxy = await startHaproxy(apis.map(({ port }) => port));
  images = imageClient(proxy.url);
}, 300_000);
afterAll(async () => {
  await proxy.close();
  await service.close();
  older.remove();
});

const manage = async (release: string, step: string): Promise<number | null> => {
  const args = ['--config-file', service.configFile, 'db', step];
  return (await run(join(release, 'bin/glance-manage'), args, { failure: 'answer' })).code;
};
/** Migrations that the database has seen. */
const migrations = (): Promise<string> => {
  const name = new URL(service.databaseUrl.replace(/^mysql\+pymysql/, 'http')).pathname.slice(1);
  return service.mariadb.execute(`SELECT GROUP_CONCAT(name) FROM ${name}.registry_migrations`);
};

it('an older release becomes this one, expansion of the schema included, while clients notice nothing', async () => {
  const data = randomBytes(64 * MiB);
  const id = await images.create();
  await images.upload(id, data);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const loads = [new SteadyLoad({ url: proxy.url, agent }), new SteadyLoad({ url: proxy.url })];
  const served = (): number => loads.reduce((sum, load) => sum + load.served, 0);
  /** Both releases at work, for as long as it takes to serve so many requests. */
  const goOn = async (): Promise<void> => {
    const enough = served() + 200;
    await until('200 requests more are served', () => served() > enough);
  };

  // The older release knows nothing of what this one needs. A registry of this one refuses to start before.
  expect(await migrations()).not.toContain('CreateListIndexes');
  expect(await manage(older.path, 'check')).toBe(0);
  expect(await manage(root, 'check')).toBe(3);
  expect(await manage(root, 'contract')).toBe(1);
  expect(await manage(root, 'expand')).toBe(0);
  expect(await migrations()).toContain('CreateListIndexes');
  expect(await manage(root, 'migrate')).toBe(0);
  await goOn();

  for (const part of [...registries, ...apis]) {
    const transfers = await holdTransfers(images, { url: proxy.url, id, data, count: apis.length });
    part.replace(root);
    const stopped = part.stop();
    await Promise.race([stopped, delay(6_000)]);
    const whole = await transfers.finish();
    expect(whole).toEqual(whole.map(() => true));
    await stopped;
    await part.start();
    await until('HAProxy sends requests to both', async () => (await proxy.serversUp()) === apis.length);
    // Meanwhile old and new registries answer old apis, then new registries old and new ones.
    await goOn();
  }

  // Until the schema is contracted, there is a way back: the older release works with what this one has added.
  const [registry] = registries;
  await registry!.stop();
  registry!.replace(older.path);
  await registry!.start();
  await goOn();
  await registry!.stop();
  registry!.replace(root);
  await registry!.start();

  expect(await manage(root, 'contract')).toBe(0);
  expect(await manage(root, 'check')).toBe(0);
  await goOn();
  for (const load of loads) await load.settle();
  agent.destroy();
  for (const load of loads) {
    expect(load.wrong, load.report()).toEqual([]);
    expect(load.refused, load.report()).toEqual([]);
  }
  console.log(loads.map((load) => load.report()).join('\n\n'));
  expect((await images.download(id)).body.equals(data)).toBe(true);
}, 600_000);
