import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../testing/database.js';
import { alice, TestRegistry } from '../testing/registry.js';
import { purge, purgeImages } from './purge.js';

const all = { ageInDays: 30, maxRows: -1 };

describe.each(databaseKinds)('purging on $name', (kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    await registry.empty();
    registry.now = Date.now() - 40 * 86_400_000;
  });

  const deleted = async (delayedDelete = false): Promise<string> => {
    const { id } = await registry.active({ tags: ['t'], properties: { a: '1', b: '2' } });
    const images = registry.images({ delayedDelete });
    const { lease } = await images.beginDelete(alice, id);
    if (lease) await images.finishDelete(lease.token);
    return id;
  };
  const count = async (table: string): Promise<number> =>
    (await registry.database.rows(`SELECT 1 FROM ${table}`)).length;

  it('removes rows that were deleted long ago, and images only when told so', async () => {
    await deleted();
    await registry.images().create(alice, { tags: ['t'] });
    registry.now = Date.now() - 5_000;
    await deleted();
    await expect(purgeImages(registry.database, all)).rejects.toMatchObject({ code: 'Conflict' });
    const none = { task_info: 0, tasks: 0, image_members: 0 };
    expect(await purge(registry.database, all)).toEqual({
      ...none,
      image_properties: 2,
      image_tags: 1,
      image_locations: 1,
    });
    expect(await count('images')).toBe(3);
    expect(await count('image_tags')).toBe(2);
    expect(await purgeImages(registry.database, all)).toEqual({ images: 1 });
    expect(await count('images')).toBe(2);
    expect(await purge(registry.database, { ageInDays: 0, maxRows: 1 })).toMatchObject({ image_properties: 1 });
  });

  it('removes tasks with what is known of them', async () => {
    const { database } = registry;
    const old = database.dialect.time(new Date(registry.now));
    const task =
      'INSERT INTO tasks (id, type, status, owner, created_at, deleted_at, deleted) VALUES (?, ?, ?, ?, ?, ?, 1)';
    for (const id of ['one', 'two']) {
      await database.run(task, [id, 'import', 'success', 'alice', old, old]);
      await database.run('INSERT INTO task_info (task_id, message) VALUES (?, ?)', [id, 'done']);
    }
    expect(await purge(database, { ageInDays: 30, maxRows: 1 })).toMatchObject({ task_info: 1, tasks: 1 });
    expect(await purge(database, all)).toMatchObject({ task_info: 1, tasks: 1 });
  });

  it('keeps what the scrubber still has to erase', async () => {
    const id = await deleted(true);
    const none = { image_locations: 0, image_properties: 0, image_tags: 0, image_members: 0 };
    expect(await purge(registry.database, all)).toMatchObject(none);
    expect(await purgeImages(registry.database, all)).toEqual({ images: 0 });
    const restored = await registry.images().restore(alice, id);
    expect(restored).toMatchObject({ tags: ['t'], properties: { a: '1', b: '2' }, locations: [{}] });
  });

  it.each([
    { ageInDays: -1, maxRows: 1 },
    { ageInDays: 1.5, maxRows: 1 },
    { ageInDays: 30_000_000, maxRows: 1 },
    { ageInDays: 1, maxRows: 0 },
    { ageInDays: 1, maxRows: -2 },
  ])('refuses $ageInDays days and $maxRows rows', async (limits) => {
    await expect(purge(registry.database, limits)).rejects.toMatchObject({ code: 'Invalid' });
    await expect(purgeImages(registry.database, limits)).rejects.toMatchObject({ code: 'Invalid' });
  });
});
