import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Images } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, formats, stored, TestRegistry } from '../testing/registry.js';

interface Row {
  readonly status?: string;
  readonly deleted: number;
  readonly deleted_at: string | null;
}

const tables = ['image_properties', 'image_tags', 'image_members', 'image_locations'];

describe.each(databaseKinds)('deletions on $name', (kind) => {
  let registry: TestRegistry;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    images = registry.images();
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const row = async (id: string): Promise<Row> =>
    (await registry.database.rows<Row>('SELECT status, deleted, deleted_at FROM images WHERE id = ?', [id]))[0]!;
  const children = (table: string, id: string): Promise<Row[]> =>
    registry.database.rows<Row>(`SELECT * FROM ${table} WHERE image_id = ?`, [id]);
  const full = async (): Promise<string> => {
    const { id } = await registry.active({ properties: { a: '1' }, tags: ['t'] });
    await registry.members().create(alice, id, 'bob');
    return id;
  };
  const waiting = async (): Promise<Images> => {
    const { id } = await registry.active();
    const delayed = registry.images({ delayedDelete: true, scrubTime: 100 });
    await delayed.beginDelete(alice, id);
    return delayed;
  };

  it('record the intent, then the facts, in rows as Glance leaves them', async () => {
    const id = await full();
    registry.pass(7);
    const { lease, locations } = await images.beginDelete(alice, id);
    expect(locations).toEqual([stored(id).location]);
    const begun = await row(id);
    expect(begun).toMatchObject({ status: 'pending_delete', deleted: 1 });
    expect(await children('image_locations', id)).toMatchObject([{ ...begun }]);
    registry.pass(7);
    await images.finishDelete(lease!.token);
    const { deleted_at } = begun;
    expect(await row(id)).toEqual({ status: 'deleted', deleted: 1, deleted_at });
    for (const table of tables) expect(await children(table, id)).toMatchObject([{ deleted: 1, deleted_at }]);
    expect(await children('image_locations', id)).toMatchObject([{ status: 'deleted' }]);
    await images.finishDelete(lease!.token);
    await expect(images.create(alice, { id })).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('leave everything as it was when the data is in use', async () => {
    const id = await full();
    await images.deactivate(alice, id);
    const before = await images.show(alice, id);
    const { lease } = await images.beginDelete(alice, id);
    await expect(images.beginDelete(alice, id)).rejects.toMatchObject({ code: 'NotFound' });
    await images.cancelDelete(lease!.token);
    await images.cancelDelete(lease!.token);
    expect(await images.show(alice, id)).toEqual({ ...before, updatedAt: expect.any(String) as string });
    expect(before.status).toBe('deactivated');
    expect(await images.show(bob, id)).toMatchObject({ properties: { a: '1' }, tags: ['t'] });
    await expect(images.finishDelete(lease!.token)).rejects.toMatchObject({ code: 'Gone' });
    expect((await images.beginDelete(alice, id)).lease).toBeDefined();
  });

  it('have nothing to wait for when there is no data', async () => {
    const { id } = await images.create(alice, { properties: { a: '1' }, tags: ['t'] });
    expect(await images.beginDelete(alice, id)).toEqual({ locations: [] });
    const { deleted_at, ...state } = await row(id);
    expect(state).toEqual({ status: 'deleted', deleted: 1 });
    expect(await children('image_properties', id)).toMatchObject([{ deleted: 1, deleted_at }]);
    expect(await children('image_tags', id)).toMatchObject([{ deleted: 1, deleted_at }]);
  });

  it('are for the owner, and not for protected images', async () => {
    const id = await full();
    await expect(images.beginDelete(callerOf('carol'), id)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(images.beginDelete(bob, id)).rejects.toMatchObject({ code: 'Forbidden' });
    await images.update(alice, id, [{ kind: 'attribute', set: { protected: true } }]);
    await expect(images.beginDelete(alice, id)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(images.beginDelete(admin, id)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(images.beginDelete(alice, 'unknown')).rejects.toMatchObject({ code: 'NotFound' });
    expect(await row(id)).toMatchObject({ status: 'active', deleted: 0 });
  });

  it('that nobody finished are handed to one of those who ask', async () => {
    const id = await full();
    const { lease } = await images.beginDelete(alice, id);
    registry.pass(61);
    const elsewhere = registry.images({}, await registry.connectAgain());
    const claims = await Promise.all([images, elsewhere, images, elsewhere].map((some) => some.claimDue(10)));
    const mine = claims.flat().filter((work) => work.imageId === id);
    expect(mine).toMatchObject([{ kind: 'delete', imageId: id, locations: [stored(id).location] }]);
    await expect(images.finishDelete(lease!.token)).rejects.toMatchObject({ code: 'Gone' });
    await expect(images.cancelDelete(lease!.token)).rejects.toMatchObject({ code: 'Gone' });
    await images.finishDelete(mine[0]!.lease.token);
    expect(await row(id)).toMatchObject({ status: 'deleted' });
  });

  it('with a delay keep the data until it is over', async () => {
    const id = await full();
    const delayed = registry.images({ delayedDelete: true, scrubTime: 100 });
    expect(await delayed.beginDelete(alice, id)).toEqual({ locations: [stored(id).location] });
    const { deleted_at, ...state } = await row(id);
    expect(state).toEqual({ status: 'pending_delete', deleted: 1 });
    for (const table of tables) expect(await children(table, id)).toMatchObject([{ deleted: 1, deleted_at }]);
    expect(await children('image_locations', id)).toMatchObject([{ status: 'pending_delete' }]);
    await expect(images.show(admin, id)).rejects.toMatchObject({ code: 'NotFound' });
    registry.pass(99);
    expect(await delayed.claimDue(10)).toEqual([]);
    registry.pass(2);
    expect(await delayed.claimDue(10, 'abandoned')).toEqual([]);
    const due = await delayed.claimDue(10);
    expect(due).toMatchObject([{ kind: 'delete', imageId: id, locations: [stored(id).location] }]);
    expect(await delayed.claimDue(10)).toEqual([]);
    await delayed.finishDelete(due[0]!.lease.token);
    expect(await row(id)).toEqual({ status: 'deleted', deleted: 1, deleted_at });
    expect(await children('image_locations', id)).toMatchObject([{ status: 'deleted' }]);
  });

  it('with a delay have nothing to keep when there is no data', async () => {
    const { id } = await images.create(alice, formats);
    expect(await registry.images({ delayedDelete: true }).beginDelete(alice, id)).toEqual({ locations: [] });
    expect(await row(id)).toMatchObject({ status: 'deleted' });
  });

  it('with a delay are tried again later when the data is in use', async () => {
    const delayed = await waiting();
    registry.pass(101);
    const [work] = await delayed.claimDue(10);
    await delayed.cancelDelete(work!.lease.token);
    expect(await row(work!.imageId)).toMatchObject({ status: 'pending_delete', deleted: 1 });
    registry.pass(200);
    expect(await delayed.claimDue(10)).toEqual([]);
    registry.pass(200);
    const [again] = await delayed.claimDue(10);
    expect(again).toMatchObject({ kind: 'delete', imageId: work!.imageId });
    await delayed.finishDelete(again!.lease.token);
  });

  it('with a delay go to one of several that ask at once, and no more than they ask for', async () => {
    const delayed = await waiting();
    for (let i = 0; i < 5; i++) await waiting();
    const elsewhere = registry.images({ scrubTime: 100 }, await registry.connectAgain());
    registry.pass(101);
    expect(await delayed.claimDue(2)).toHaveLength(2);
    const rest = (await Promise.all([delayed.claimDue(10), elsewhere.claimDue(10)])).flat();
    expect(new Set(rest.map(({ imageId }) => imageId)).size).toBe(4);
    expect(rest).toHaveLength(4);
  });
});
