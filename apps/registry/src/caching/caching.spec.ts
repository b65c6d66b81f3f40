import type { CachedData } from '@glance/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, stored, TestRegistry } from '../testing/registry.js';

describe.each(databaseKinds)('what caches ask on $name', (kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const data = (imageId: string, changes: Partial<CachedData> = {}): CachedData => ({
    imageId,
    checksum: stored(imageId).checksum,
    hash: stored(imageId).osHashValue!.slice(0, 32),
    size: 5,
    hits: 0,
    lastAccessed: registry.now,
    lastModified: registry.now,
    ...changes,
  });
  const rows = () =>
    registry.database.rows(
      'SELECT image_id, hits, size, checksum, node_reference_url AS node FROM cached_images JOIN node_reference USING (node_reference_id) ORDER BY node, image_id',
    );

  it('keeps what each node has, as it is now', async () => {
    const caching = registry.caching();
    const [a, b] = [await registry.active(), await registry.active()];
    await caching.report('http://one', [data(a.id), data(b.id)]);
    await caching.report('http://two', [data(a.id)]);
    expect(await caching.nodes(admin, a.id)).toEqual(['http://one', 'http://two']);
    await caching.report('http://one', [data(a.id, { hits: 3, lastAccessed: registry.now + 60_000 })]);
    expect(await rows()).toMatchObject([
      { image_id: a.id, node: 'http://one', hits: 3, size: 5, checksum: stored(a.id).checksum },
      { image_id: a.id, node: 'http://two', hits: 0 },
    ]);
    expect(await caching.nodes(null, b.id)).toEqual([]);
  });

  it('tells which images are not to be served any more', async () => {
    const caching = registry.caching();
    const [kept, deactivated, deleted, other] = [
      await registry.active(),
      await registry.active(),
      await registry.active(),
      await registry.active(),
    ] as const;
    await registry.images().deactivate(admin, deactivated.id);
    await registry.images().beginDelete(admin, deleted.id);
    const cached = [kept, deactivated, deleted].map(({ id }) => data(id));
    const stale = await caching.report(null, [...cached, data(other.id, { hash: '0'.repeat(32) })]);
    expect(stale.toSorted()).toEqual([deactivated.id, deleted.id, other.id].toSorted());
    expect(await rows()).toEqual([]);
  });

  it('takes reports of one node that come together', async () => {
    const caching = registry.caching();
    const { id } = await registry.active();
    await Promise.all(Array.from({ length: 8 }, (_, hits) => caching.report('http://one', [data(id, { hits })])));
    expect(await rows()).toHaveLength(1);
  });

  it('gives out where data lies, if it can be downloaded', async () => {
    const caching = registry.caching();
    const image = await registry.active();
    expect(await caching.source(image.id)).toMatchObject({
      image: { id: image.id },
      locations: [stored(image.id).location],
    });
    await registry.images().deactivate(admin, image.id);
    expect(await caching.source(image.id)).toBeUndefined();
  });

  it('is for administrators', async () => {
    const caching = registry.caching();
    const { id } = await registry.active();
    await caching.check(admin, 'cache_list');
    await expect(caching.check(alice, 'cache_list')).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(caching.image(alice, 'cache_image', id)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(caching.nodes(alice, id)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(caching.image(bob, 'cache_image', id)).rejects.toMatchObject({ code: 'NotFound' });
  });
});
