import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Image, Images } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, TestRegistry } from '../testing/registry.js';

describe.each(databaseKinds)('removals of locations on $name', (kind) => {
  let registry: TestRegistry;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    images = registry.images();
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const second = { url: 'rbd://f/p/second/snap', metadata: { store: 'ceph' } };
  async function withTwo(): Promise<Image> {
    const { id } = await registry.active();
    return images.update(alice, id, [{ kind: 'locations', op: 'add', locations: [{ ...second, size: 5 }] }]);
  }
  const states = (id: string): Promise<unknown[]> =>
    registry.database.rows('SELECT status, deleted FROM image_locations WHERE image_id = ? ORDER BY id', [id]);

  it('that nobody finishes are handed out as deletions, and bear being finished twice', async () => {
    const { id, locations } = await withTwo();
    expect(locations.map(({ url }) => url)).toContain(second.url);
    const { lease } = await images.beginRemoveLocation(admin, id, 'ceph');
    expect(await states(id)).toEqual([
      { status: 'active', deleted: 0 },
      { status: 'removing', deleted: 1 },
    ]);
    await images.renewLease(lease!.token);
    registry.pass(61);
    const [work] = await images.claimDue(10, 'abandoned');
    expect(work).toMatchObject({ kind: 'delete', imageId: id, locations: [second] });
    for (const _ of 'twice') await images.finishDelete(work!.lease.token);
    expect(await states(id)).toEqual([
      { status: 'active', deleted: 0 },
      { status: 'deleted', deleted: 1 },
    ]);
    await expect(images.finishDelete(lease!.token)).rejects.toMatchObject({ code: 'Gone' });
    expect((await images.show(alice, id)).status).toBe('active');
  });

  it('end as they began when the data is in use', async () => {
    const { id, locations } = await withTwo();
    const { lease } = await images.beginRemoveLocation(admin, id, -1);
    await images.cancelDelete(lease!.token);
    expect((await images.show(alice, id)).locations).toEqual(locations);
    const again = await images.beginRemoveLocation(admin, id, 0);
    expect(again.locations).toEqual(locations.slice(0, 1));
    await expect(images.beginRemoveLocation(admin, id, 0)).rejects.toMatchObject({ code: 'Forbidden' });
  });

  it('of a deleted image leave what cannot be erased to its deletion', async () => {
    const { id } = await withTwo();
    const { lease } = await images.beginRemoveLocation(admin, id, 1);
    const deletion = await images.beginDelete(alice, id);
    expect(deletion.locations).toHaveLength(1);
    await images.cancelDelete(lease!.token);
    registry.pass(61);
    const [work] = await images.claimDue(10, 'abandoned');
    expect(work).toMatchObject({ kind: 'delete', locations: [{}, second] });
  });
});
