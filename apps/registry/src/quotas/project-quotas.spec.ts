import type { Image, Images, Upload } from '@glance/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authorization } from '../authorization/authorization.js';
import { ImagesInDatabase } from '../images/images-in-database.js';
import { TasksInDatabase } from '../imports/tasks-in-database.js';
import { noOutbox } from '../notifications/outbox.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, formats, registrySettings, stored, TestRegistry } from '../testing/registry.js';
import { type ProjectLimits, ProjectQuotas } from './project-quotas.js';
import { storageSize } from './quota-options.js';

const file = (size: number | null) => ({ store: 'file', size });
const exceeded = { code: 'LimitExceeded' };

describe.each(databaseKinds)('quotas of projects on $name', (kind) => {
  let registry: TestRegistry;
  let limits: ProjectLimits;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const quotas = new ProjectQuotas(0, { of: async () => limits, close: () => undefined });
  const parts = (database = registry.database) =>
    [database, registrySettings, () => registry.now, noOutbox, new Authorization(), quotas] as const;
  const service = (database = registry.database): Images => new ImagesInDatabase(...parts(database));
  const queued = (images: Images): Promise<Image> => images.create(alice, { ...formats });
  const finish = (images: Images, { lease, image }: Upload, size: number): Promise<Image> =>
    images.finishUpload(lease.token, { ...stored(image.id), size });

  it('a hundred uploads at once never take more than there is', async () => {
    limits = { storage: 1000 };
    const elsewhere = await registry.connectAgain();
    const replicas = [service(), service(elsewhere)];
    const images = await Promise.all(Array.from({ length: 100 }, () => queued(replicas[0]!)));
    const outcomes = await Promise.allSettled(
      images.map(async ({ id }, n) => {
        const replica = replicas[n % 2]!;
        // Of every second nobody knows the size before its end.
        const upload = await replica.beginUpload(alice, id, file(n % 4 < 2 ? 30 : null));
        await replica.renewLease(upload.lease.token, 30);
        return finish(replica, upload, 30);
      }),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(33);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(exceeded);
    }
    expect((await replicas[0]!.usage(alice))['image_size_total']).toEqual({ usage: 0, limit: 0 });
  });

  it('what is reserved for an upload is free again once that is given up, and once its process died', async () => {
    limits = { storage: 100 };
    const images = service();
    const first = await images.beginUpload(alice, (await queued(images)).id, file(80));
    const second = await queued(images);
    await expect(images.beginUpload(alice, second.id, file(21))).rejects.toMatchObject(exceeded);
    await images.cancelUpload(first.lease.token);
    await images.beginUpload(alice, second.id, file(100));
    registry.pass(61);
    const third = await queued(images);
    await expect(images.beginUpload(alice, third.id, file(1))).rejects.toMatchObject(exceeded);
    for (const work of await images.claimDue(10)) await images.cancelUpload(work.lease.token);
    await finish(images, await images.beginUpload(alice, third.id, file(100)), 100);
  });

  it('an upload of unknown size may have what is left, and no byte more', async () => {
    limits = { storage: 100 };
    const images = service();
    await finish(images, await images.beginUpload(alice, (await queued(images)).id, file(60)), 60);
    const upload = await images.beginUpload(alice, (await queued(images)).id, file(null));
    expect(upload.maxSize).toBe(40);
    await expect(images.renewLease(upload.lease.token, 41)).rejects.toMatchObject(exceeded);
    await images.renewLease(upload.lease.token, 40);
    await finish(images, upload, 40);
    await expect(images.beginUpload(alice, (await queued(images)).id, file(null))).rejects.toMatchObject(exceeded);
  });

  it('count images, and those that are uploading, and forget those that are deleted', async () => {
    limits = { images: 2, uploading: 1 };
    const images = service();
    const [one, two] = [await queued(images), await queued(images)];
    await expect(queued(images)).rejects.toMatchObject(exceeded);
    const upload = await images.beginUpload(alice, one.id, file(1));
    await expect(images.beginUpload(alice, two.id, file(1))).rejects.toMatchObject(exceeded);
    expect(await images.show(alice, two.id)).toMatchObject({ status: 'queued' });
    await finish(images, upload, 1);
    expect(await images.usage(alice)).toEqual({
      image_size_total: { usage: 0, limit: -1 },
      image_stage_total: { usage: 0, limit: -1 },
      image_count_total: { usage: 2, limit: 2 },
      image_count_uploading: { usage: 0, limit: 1 },
    });
    await images.beginDelete(alice, two.id);
    await queued(images);
    await images.create(bob, {});
  });

  it('are those of the project that has the image, whoever works on it', async () => {
    limits = { storage: 10 };
    const images = service();
    const { id } = await queued(images);
    await expect(images.beginUpload(admin, id, file(11))).rejects.toMatchObject(exceeded);
    await images.beginUpload(admin, (await images.create(bob, { ...formats })).id, file(10));
    await images.beginUpload(admin, id, file(10));
  });

  it('hold for staged data and for what is imported from it', async () => {
    limits = { staging: 100, storage: 150 };
    const images = service();
    const tasks = new TasksInDatabase(...parts());
    const { id } = await queued(images);
    await expect(tasks.beginStage(alice, id, { host: null, size: 101 })).rejects.toMatchObject(exceeded);
    const staging = await tasks.beginStage(alice, id, { host: null, size: null });
    expect(staging.maxSize).toBe(100);
    await images.renewLease(staging.lease.token, 90);
    const other = await queued(images);
    await expect(tasks.beginStage(alice, other.id, { host: null, size: 11 })).rejects.toMatchObject(exceeded);
    await tasks.finishStage(staging.lease.token, { url: 'file:///staged', size: 90 });
    await expect(tasks.beginStage(alice, other.id, { host: null, size: 11 })).rejects.toMatchObject(exceeded);
    const request = {
      type: 'api_image_import',
      method: 'glance-direct',
      allStores: false,
      named: true,
      mustSucceed: true,
      source: {},
      input: {},
    } as const;
    await expect(tasks.beginImport(alice, id, { ...request, stores: ['a', 'b'] })).rejects.toMatchObject(exceeded);
    await tasks.beginImport(alice, id, { ...request, stores: ['a'] });
    await expect(images.beginUpload(alice, other.id, file(61))).rejects.toMatchObject(exceeded);
    const [claimed] = await tasks.claim({ host: null, limit: 1 });
    // A conversion has made it larger.
    await expect(tasks.heartbeat(claimed!.lease.token, 'run', null, 151)).rejects.toMatchObject(exceeded);
    await tasks.heartbeat(claimed!.lease.token, 'run', null, 140);
    await expect(images.beginUpload(alice, other.id, file(11))).rejects.toMatchObject(exceeded);
  });
});

describe('user_storage_quota', () => {
  it('is a number of bytes with a unit of 1024', () => {
    expect(['0', '100', '7B', '10KB', '2 MB', '500GB', '1TB'].map(storageSize)).toEqual([
      0,
      100,
      7,
      10_240,
      2 * 1024 ** 2,
      500 * 1024 ** 3,
      1024 ** 4,
    ]);
    expect(['', '-1', '1.5GB', '10PB', 'GB', '10gb'].map(storageSize)).toEqual(Array(6).fill(undefined));
  });

  it('counts data once for each copy, and is all that counts', async () => {
    const quotas = new ProjectQuotas(500);
    expect(await quotas.ofProject('alice')).toMatchObject({ limits: { storage: 500 } });
    expect(await quotas.ofProject(null)).toBeUndefined();
    expect(await new ProjectQuotas(0).ofProject('alice')).toBeUndefined();
  });
});
