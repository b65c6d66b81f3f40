import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { json, send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

const data = randomBytes(48 * 1024 * 1024);

interface TaskView {
  readonly status: string;
  readonly message: string;
}

/** Two replicas of the api, of which one is killed, and the staging areas that they use. */
interface Scene {
  readonly installation: Installation;
  readonly replicas: readonly [Part, Part];
  readonly staging: readonly string[];
  /** Talks to the second replica, which is never killed. */
  readonly images: ImageClient;
  close(): Promise<void>;
}

async function scene(kind: 'shared' | 'own'): Promise<Scene> {
  const directory = scratchDirectory('disk');
  const installation = await install();
  const staging = kind === 'shared' ? ['all'] : ['one', 'two'];
  const places = staging.map((name) => join(directory.path, name));
  for (const place of places) mkdirSync(place);
  const replica = (index: number): Promise<Part> =>
    installation.part('glance-api', {
      node_staging_uri: `file://${places[index] ?? places[0]!}`,
      ...(kind === 'own' && { worker_self_reference_url: `http://replica-${index}` }),
    });
  const registry = await installation.part('glance-registry');
  const replicas = [await replica(0), await replica(1)] as const;
  await Promise.all([registry.start(), ...replicas.map((each) => each.start())]);
  return {
    installation,
    replicas,
    staging: places,
    images: imageClient(replicas[1].url),
    async close() {
      await installation.close();
      directory.remove();
    },
  };
}

const importOf = (part: Part, id: string) =>
  send('POST', `${part.url}/v2/images/${id}/import`, { body: JSON.stringify({ method: { name: 'glance-direct' } }) });
const stage = (part: Part, id: string, body: Buffer | AsyncIterable<Uint8Array> = data) =>
  send('PUT', `${part.url}/v2/images/${id}/stage`, { headers: { 'content-type': 'application/octet-stream' }, body });

async function newestTask({ replicas }: Scene, id: string): Promise<TaskView | undefined> {
  const reply = await send('GET', `${replicas[1].url}/v2/images/${id}/tasks`);
  return (json(reply) as { tasks: TaskView[] }).tasks[0];
}

const names = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).filter((name) => name !== '.scratch') : [];

/** Before `until` gives up, the image is active or queued with a cause, and nothing lies where nobody knows of it. */
async function expectOrder(it: Scene, id: string, places = it.staging): Promise<string> {
  await until('the import is over', async () =>
    ['success', 'failure'].includes((await newestTask(it, id))?.status ?? ''),
  );
  const { status } = await it.images.image(id);
  const task = await newestTask(it, id);
  if (status === 'active') expect((await it.images.download(id)).body.equals(data)).toBe(true);
  else {
    expect([status, task?.status]).toEqual(['queued', 'failure']);
    expect(task?.message).toMatch(/\.$/);
  }
  const active = (await it.images.list()).filter((image) => image.status === 'active').map((image) => image.id);
  expect(names(it.installation.storeDirectory).toSorted()).toEqual(active.toSorted());
  for (const place of places) await until('nothing is staged', () => names(place).length === 0);
  return status;
}

const described = describe.runIf(target === 'ours');

described('a replica that is killed in the middle of an import', { timeout: 600_000 }, () => {
  let it1: Scene;
  beforeAll(async () => {
    it1 = await scene('shared');
  });
  afterAll(() => it1.close());

  const inStore = (id: string): string[] => names(it1.installation.storeDirectory).filter((name) => name.includes(id));
  const moments: readonly (readonly [string, (id: string) => Promise<void>])[] = [
    ['as soon as it has accepted the request', async () => undefined],
    [
      'when it has begun',
      (id) => until('it has begun', async () => (await newestTask(it1, id))?.status === 'processing'),
    ],
    ['when it writes', (id) => until('the store has something', () => inStore(id).length > 0)],
    ['when the data is in its place', (id) => until('the data is there', () => inStore(id).includes(id))],
    ['somewhere', () => delay(Math.random() * 500)],
  ];

  it.each(moments)('%s is followed by another, which finishes it', async (_, moment) => {
    const [first] = it1.replicas;
    const id = await it1.images.create();
    expect((await stage(first, id)).status).toBe(204);
    expect((await importOf(first, id)).status).toBe(202);
    await moment(id);
    await first.kill();
    expect(await expectOrder(it1, id)).toBe('active');
    await first.start();
  });

  it.each([
    ['database', (scene: Scene) => scene.installation.mariadb],
    ['broker', (scene: Scene) => scene.installation.rabbitmq],
  ])('is no worse than a %s that is killed: the import ends', async (_, serverOf) => {
    const [first] = it1.replicas;
    const server = serverOf(it1);
    const id = await it1.images.create();
    await stage(first, id);
    expect((await importOf(first, id)).status).toBe(202);
    await delay(100);
    await server.kill();
    await delay(8_000);
    await server.start();
    await until('the service answers', async () => (await it1.images.show(id)).status === 200);
    expect(await expectOrder(it1, id)).toBe('active');
  });

  it('when the import was cancelled leaves the image queued', async () => {
    const [first] = it1.replicas;
    const id = await it1.images.create();
    await stage(first, id);
    await importOf(first, id);
    const reply = await send('GET', `${first.url}/v2/images/${id}/tasks`);
    const { tasks } = json(reply) as { tasks: { id: string }[] };
    await send('DELETE', `${first.url}/v2/tasks/${tasks[0]!.id}`);
    await first.kill();
    await expectOrder(it1, id);
    await first.start();
  });
});

described('replicas with staging areas of their own', { timeout: 600_000 }, () => {
  let it2: Scene;
  beforeAll(async () => {
    it2 = await scene('own');
  });
  afterAll(() => it2.close());

  it('import on the one what was staged on the other', async () => {
    const [first, second] = it2.replicas;
    const id = await it2.images.create();
    expect((await stage(first, id)).status).toBe(204);
    expect(names(it2.staging[0]!)).toHaveLength(1);
    expect((await importOf(second, id)).status).toBe(202);
    expect(await expectOrder(it2, id)).toBe('active');
  });

  it('give up when the one that holds the data is killed, say so, and clean up when it is back', async () => {
    const [first, second] = it2.replicas;
    const id = await it2.images.create();
    await stage(first, id);
    await first.kill();
    expect((await importOf(second, id)).status).toBe(202);
    expect(await expectOrder(it2, id, [it2.staging[1]!])).toBe('queued');
    expect((await newestTask(it2, id))?.message).toContain('http://replica-0');
    expect((await stage(second, id)).status).toBe(204);
    await importOf(second, id);
    expect(await expectOrder(it2, id, [it2.staging[1]!])).toBe('active');
    await first.start();
    await until('nothing is staged', () => names(it2.staging[0]!).length === 0);
  });

  it('return an image to queued whose staging broke off with its host', async () => {
    const [first, second] = it2.replicas;
    const id = await it2.images.create();
    const half = Promise.withResolvers<void>();
    async function* body(): AsyncGenerator<Buffer> {
      yield data.subarray(0, 1024 * 1024);
      half.resolve();
      await delay(600_000, undefined, { ref: false });
    }
    const staging = stage(first, id, body()).catch(() => undefined);
    await half.promise;
    await until('it has begun', () => names(it2.staging[0]!).length > 0);
    await first.kill();
    await staging;
    await until('the image is queued', async () => (await it2.images.image(id)).status === 'queued');
    expect((await stage(second, id)).status).toBe(204);
    await first.start();
    await until('nothing is left on the first', () => names(it2.staging[0]!).length === 0);
    expect((await it2.images.remove(id)).status).toBe(204);
  });
});
