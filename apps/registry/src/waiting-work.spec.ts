import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Outbox } from './notifications/outbox.js';
import { databaseKinds } from './testing/database.js';
import { alice, formats, stored, TestRegistry } from './testing/registry.js';
import { type WaitingWork, waitingWorkOf } from './waiting-work.js';

const GiB = 2 ** 30;
const delayed = { delayedDelete: true, scrubTime: 100 };

describe.each(databaseKinds)('what waits on $name', (kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterAll(() => registry.close());
  beforeEach(() => registry.empty());

  const work = (): Promise<WaitingWork> => waitingWorkOf(registry.database, delayed.scrubTime, registry.now);
  const queued = async (): Promise<string> => (await registry.images().create(alice, formats)).id;
  const none = { waiting: 0, age: 0 };

  it('is nothing at first', async () => {
    expect(await work()).toEqual({
      outbox: none,
      imports: { ...none, running: 0 },
      deletions: none,
      abandoned: none,
      failing: 0,
      reserved: 0,
      staged: 0,
    });
  });

  it('are notifications, as old as the oldest', async () => {
    const outbox = new Outbox({ drivers: ['messagingv2'], disabled: [] }, () => registry.now);
    for (const seconds of [25, 5]) {
      await registry.images({}, registry.database, outbox).create(alice, formats);
      registry.pass(seconds);
    }
    expect((await work()).outbox).toEqual({ waiting: 2, age: 30 });
  });

  it('are imports that nobody has claimed, and those whose process died; others run', async () => {
    const tasks = registry.tasks();
    for (let n = 0; n < 2; n++) {
      const id = await queued();
      const { lease, name } = await tasks.beginStage(alice, id, { host: null, size: null });
      await tasks.finishStage(lease.token, { url: `stage://${name}`, size: 5 });
      await tasks.beginImport(alice, id, {
        type: 'api_image_import',
        method: 'glance-direct',
        stores: ['file'],
        allStores: false,
        named: true,
        mustSucceed: true,
        source: {},
        input: {},
      });
    }
    registry.pass(7);
    expect(await work()).toMatchObject({ imports: { waiting: 2, age: 7, running: 0 }, staged: 10 });
    await tasks.claim({ host: null, limit: 1 });
    expect((await work()).imports).toEqual({ waiting: 1, age: 7, running: 1 });
    registry.pass(21);
    expect((await work()).imports).toMatchObject({ waiting: 2, running: 0 });
  });

  it('are deletions since their delay was over', async () => {
    const { id } = await registry.active({}, delayed);
    await registry.images(delayed).beginDelete(alice, id);
    registry.pass(99);
    expect((await work()).deletions).toEqual(none);
    registry.pass(61);
    const { waiting, age } = (await work()).deletions;
    // Glance's times are whole seconds.
    expect([waiting, Math.round(age)]).toEqual([1, expect.closeTo(60, -0.5)]);
  });

  it('are uploads since their lease ran out, with what they keep of quotas', async () => {
    const id = await queued();
    const { lease } = await registry.images().beginUpload(alice, id, { store: 'file', size: GiB });
    await registry.database.run('UPDATE image_leases SET reserved = ?', [GiB]);
    expect(await work()).toMatchObject({ abandoned: none, reserved: GiB });
    registry.pass(75);
    expect(await work()).toMatchObject({ abandoned: { waiting: 1, age: 15 }, failing: 0, reserved: GiB });
    await registry.images().renewLease(lease.token);
    await registry.images().finishUpload(lease.token, stored(id));
    expect(await work()).toMatchObject({ abandoned: none, reserved: 0 });
  });
});
