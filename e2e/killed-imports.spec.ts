import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, send } from './http.js';
import { data, expectOrder, importOf, names, newestTask, type Scene, scene, stage } from './import-scene.js';
import { target } from './service.js';
import { until } from './until.js';

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
