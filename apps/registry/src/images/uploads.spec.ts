import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Image, Images, Upload } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, formats, stored, TestRegistry } from '../testing/registry.js';

describe.each(databaseKinds)('uploads on $name', (kind) => {
  let registry: TestRegistry;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    images = registry.images();
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const queued = (): Promise<Image> => images.create(alice, { ...formats });
  const begin = (id: string, size: number | null = null): Promise<Upload> =>
    images.beginUpload(alice, id, { store: 'ceph', size });

  it('begin once: of two at the same time one is told of the conflict', async () => {
    const { id } = await queued();
    const elsewhere = registry.images({}, await registry.connectAgain());
    const outcomes = await Promise.allSettled([
      begin(id),
      elsewhere.beginUpload(alice, id, { store: 'ceph', size: null }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(begin(id)).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('need the formats, and a size that is allowed', async () => {
    const { id } = await images.create(alice, { diskFormat: 'raw' });
    await expect(begin(id)).rejects.toMatchObject({ code: 'Invalid' });
    const small = registry.images({ imageSizeCap: 100 });
    const ready = await queued();
    const upload = { store: 'ceph', size: 101 };
    await expect(small.beginUpload(alice, ready.id, upload)).rejects.toMatchObject({ code: 'LimitExceeded' });
    expect(await images.show(alice, ready.id)).toEqual(ready);
    expect(await small.beginUpload(alice, ready.id, { ...upload, size: 100 })).toMatchObject({
      maxSize: 100,
      image: { status: 'saving' },
      lease: { expiresIn: 60_000 },
    });
  });

  it('are for members of the owning project', async () => {
    const { id } = await images.create(admin, { owner: 'alice', visibility: 'public', ...formats });
    const as = (caller: typeof alice): Promise<Upload> => images.beginUpload(caller, id, { store: 'ceph', size: 1 });
    await expect(as(bob)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(as(callerOf('alice', ['reader']))).rejects.toMatchObject({ code: 'Forbidden' });
    await as(alice);
  });

  it('make the image active with all that is known of its data', async () => {
    const { id } = await queued();
    const { lease } = await begin(id);
    registry.pass(5);
    const { location, ...facts } = stored(id);
    const image = await images.finishUpload(lease.token, stored(id));
    expect(image).toMatchObject({ ...facts, status: 'active', locations: [location] });
    expect(image.updatedAt > image.createdAt).toBe(true);
    expect(await images.show(alice, id)).toEqual(image);
  });

  it('may be finished again when the answer was lost, but not with other data', async () => {
    const { id } = await queued();
    const { lease } = await begin(id);
    const image = await images.finishUpload(lease.token, stored(id));
    expect(await images.finishUpload(lease.token, stored(id))).toEqual(image);
    const other = { ...stored(id), location: { url: 'file:///other', metadata: {} } };
    await expect(images.finishUpload(lease.token, other)).rejects.toMatchObject({ code: 'Conflict' });
    await images.cancelUpload(lease.token);
    expect(await images.show(alice, id)).toEqual(image);
  });

  it('are as if they had never begun when they are cancelled', async () => {
    const image = await queued();
    const { lease } = await begin(image.id);
    await images.cancelUpload(lease.token);
    await images.cancelUpload(lease.token);
    await images.cancelUpload('never-seen');
    expect(await images.show(alice, image.id)).toEqual({ ...image, updatedAt: expect.any(String) as string });
    await expect(images.finishUpload(lease.token, stored(image.id))).rejects.toMatchObject({ code: 'Gone' });
    await expect(images.renewLease(lease.token)).rejects.toMatchObject({ code: 'Gone' });
    await begin(image.id);
  });

  it('end when the image is deleted meanwhile', async () => {
    const { id } = await queued();
    const { lease } = await begin(id);
    expect(await images.beginDelete(alice, id)).toEqual({ locations: [] });
    await expect(images.renewLease(lease.token)).rejects.toMatchObject({ code: 'Gone' });
    await expect(images.finishUpload(lease.token, stored(id))).rejects.toMatchObject({ code: 'Gone' });
    await images.cancelUpload(lease.token);
    await expect(images.show(admin, id)).rejects.toMatchObject({ code: 'NotFound' });
    registry.pass(1000);
    expect(await images.claimDue(10)).toEqual([]);
  });

  it('leave behind what the scrubber needs to know when their process dies', async () => {
    const { id } = await queued();
    const { lease } = await begin(id);
    registry.pass(50);
    await images.renewLease(lease.token);
    registry.pass(50);
    expect(await images.claimDue(10)).toEqual([]);
    registry.pass(11);
    const due = await images.claimDue(10, 'abandoned');
    expect(due).toMatchObject([{ kind: 'upload', imageId: id, store: 'ceph', lease: { expiresIn: 60_000 } }]);
    expect(await images.claimDue(10)).toEqual([]);
    // Back from the dead, the first process finds that it is too late.
    await expect(images.renewLease(lease.token)).rejects.toMatchObject({ code: 'Gone' });
    await expect(images.finishUpload(lease.token, stored(id))).rejects.toMatchObject({ code: 'Gone' });
    await images.cancelUpload(lease.token);
    await expect(begin(id)).rejects.toMatchObject({ code: 'Conflict' });
    await images.cancelUpload(due[0]!.lease.token);
    await begin(id);
  });

  it('are cleaned up after a crash also when the image was deleted', async () => {
    const { id } = await queued();
    await begin(id);
    await images.beginDelete(alice, id);
    registry.pass(61);
    const due = await images.claimDue(10);
    expect(due.filter(({ imageId }) => imageId === id)).toMatchObject([{ kind: 'upload', store: 'ceph' }]);
  });

  it('that are over are forgotten after a while', async () => {
    const { id } = await queued();
    const { lease } = await begin(id);
    await images.finishUpload(lease.token, stored(id));
    const rows = (): Promise<unknown[]> =>
      registry.database.rows('SELECT 1 FROM image_leases WHERE image_id = ?', [id]);
    expect(await rows()).toHaveLength(1);
    registry.pass(61);
    await begin((await queued()).id);
    expect(await rows()).toEqual([]);
  });
});
