import type { Image, Images } from '@glance/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, formats, stored, TestRegistry } from '../testing/registry.js';

const settings = { delayedDelete: true, scrubTime: 100 };

describe.each(databaseKinds)('deleted images on $name', (kind) => {
  let registry: TestRegistry;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    images = registry.images(settings);
  });
  afterEach(async () => {
    await registry.empty();
    await registry.database.run('DELETE FROM delayed_deletions');
  });
  afterAll(() => registry.close());

  /** One with all that an image can have, after a while in which some of it went. */
  async function full(): Promise<Image> {
    const { id } = await registry.active({ properties: { kept: '1', gone: '2' }, tags: ['kept', 'gone'] });
    await registry.members().create(alice, id, 'bob');
    await registry.members().update(bob, id, 'bob', 'accepted');
    await registry.members().create(alice, id, 'carol');
    await registry.members().remove(alice, id, 'carol');
    await images.removeTag(alice, id, 'gone');
    await images.update(alice, id, [{ kind: 'property', op: 'remove', name: 'gone' } as never]);
    registry.pass(5);
    return images.show(alice, id);
  }

  it('are seen by their project until they go, and by administrators', async () => {
    const { id } = await full();
    await images.beginDelete(alice, id);
    const seen = { id, name: null, owner: 'alice', size: 5, deletedAt: expect.any(String) as string };
    const [mine] = await images.listDeleted(alice, { limit: 10 });
    expect(mine).toMatchObject(seen);
    expect(Date.parse(mine!.goesAt) - Date.parse(mine!.deletedAt)).toBe(100_000);
    expect(await images.listDeleted(admin, { limit: 10 })).toMatchObject([seen]);
    expect(await images.listDeleted(bob, { limit: 10 })).toEqual([]);
    await expect(images.show(alice, id)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('forget what they were once they are erased, or were restored by Glance', async () => {
    const { id } = await full();
    const remembered = (): Promise<unknown[]> =>
      registry.database.rows('SELECT image_id, status FROM delayed_deletions');
    await images.deactivate(admin, id);
    await images.beginDelete(alice, id);
    expect(await remembered()).toEqual([{ image_id: id, status: 'deactivated' }]);
    const revived = "UPDATE images SET status = 'deactivated', deleted = 0, deleted_at = NULL WHERE id = ?";
    await registry.database.run(revived, [id]);
    await registry.database.run(
      "UPDATE image_locations SET status = 'active', deleted = 0, deleted_at = NULL WHERE image_id = ?",
      [id],
    );
    await images.beginDelete(alice, id);
    expect(await remembered()).toEqual([{ image_id: id, status: 'deactivated' }]);
    registry.pass(101);
    const [due] = await images.claimDue(1);
    await images.finishDelete(due!.lease.token);
    expect(await remembered()).toEqual([]);
  });

  it('are listed by pages', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      const { id } = await registry.active();
      await images.beginDelete(alice, id);
      registry.pass(n < 3 ? 0 : 10);
      ids.push(id);
    }
    const seen: string[] = [];
    for (let marker: string | undefined; ;) {
      const page = await images.listDeleted(alice, { limit: 2, ...(marker !== undefined && { marker }) });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 2) break;
      marker = page.at(-1)!.id;
    }
    expect(seen.toSorted()).toEqual(ids.toSorted());
  });

  it('come back with all that they had, and nothing that went before', async () => {
    const before = await full();
    await images.beginDelete(alice, before.id);
    const restored = await images.restore(alice, before.id);
    expect(restored).toEqual({ ...before, updatedAt: expect.any(String) as string });
    expect(restored).toMatchObject({ status: 'active', properties: { kept: '1' }, tags: ['kept'] });
    expect(restored.locations).toEqual([stored(before.id).location]);
    expect(await images.show(bob, before.id)).toMatchObject({ id: before.id });
    await expect(images.show(callerOf('carol'), before.id)).rejects.toMatchObject({ code: 'NotFound' });
    registry.pass(1000);
    expect(await images.claimDue(10)).toEqual([]);
    await expect(images.restore(alice, before.id)).rejects.toMatchObject({ code: 'NotFound' });
    await images.beginDelete(alice, before.id);
    expect(await images.restore(null, before.id)).toMatchObject({ status: 'active', properties: { kept: '1' } });
  });

  it('come back deactivated if they were', async () => {
    const { id } = await registry.active();
    await images.deactivate(alice, id);
    await images.beginDelete(alice, id);
    expect(await images.restore(admin, id)).toMatchObject({ status: 'deactivated' });
    await images.reactivate(alice, id);
    await images.beginDelete(alice, id);
    expect(await images.restore(alice, id)).toMatchObject({ status: 'active' });
  });

  it('come back for whoever may delete them only', async () => {
    const { id } = await registry.active({ visibility: 'public' });
    await images.beginDelete(alice, id);
    await expect(images.restore(bob, id)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(images.restore(callerOf('alice', ['reader']), id)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(images.restore(alice, 'unknown')).rejects.toMatchObject({ code: 'NotFound' });
    expect(await images.restore(admin, id)).toMatchObject({ id, visibility: 'public' });
  });

  it('do not come back once somebody erases them, nor those that had no data', async () => {
    const { id } = await registry.active();
    await images.beginDelete(alice, id);
    registry.pass(101);
    const [work] = await images.claimDue(1);
    expect(await images.listDeleted(alice, { limit: 10 })).toEqual([]);
    await expect(images.restore(alice, id)).rejects.toMatchObject({ code: 'Conflict' });
    await images.finishDelete(work!.lease.token);
    await expect(images.restore(alice, id)).rejects.toMatchObject({ code: 'NotFound' });
    const empty = await images.create(alice, formats);
    await images.beginDelete(alice, empty.id);
    await expect(images.restore(alice, empty.id)).rejects.toMatchObject({ code: 'NotFound' });
  });

  // Where two connections write at the same time, twice as often.
  const rounds = kind.name === 'MariaDB' ? 100 : 50;
  it(`come back whole or are gone, ${rounds * 10} times raced against a scrubber`, async () => {
    const database = await registry.connectAgain();
    const elsewhere = registry.images(settings, database);
    const scrubbing = registry.scrubbing(settings, database);
    let restored = 0;
    for (let round = 0; round < rounds; round++) {
      const ids = await Promise.all(
        Array.from({ length: 10 }, async () => (await registry.active({ properties: { a: '1' }, tags: ['t'] })).id),
      );
      for (const id of ids) await images.beginDelete(alice, id);
      registry.pass(101);
      // In every second round the scrubber is a little ahead.
      const ahead = round % 2 === 0 ? [] : [...(await elsewhere.claimDue(3))];
      const scrub = async (some: readonly string[]): Promise<string[]> => {
        // In half of them it finishes many at a time.
        const together = round % 4 < 2;
        const claimed = together ? await scrubbing.claimDeletions(some) : await elsewhere.claimDue(4);
        const due = [...ahead.splice(0), ...claimed];
        const works = due.map(({ imageId, lease: { token } }) => ({ imageId, token }));
        if (together) expect(await scrubbing.finishDeletions(works)).toEqual([]);
        else for (const { token } of works) await elsewhere.finishDelete(token);
        return due.map(({ imageId }) => imageId);
      };
      const scrubs = Promise.all([scrub(ids.slice(0, 5)), scrub(ids.slice(3, 8))]).then((some) => some.flat());
      const [erased, back] = await Promise.all([
        scrubs,
        Promise.allSettled(ids.map((id) => images.restore(alice, id))),
      ]);
      for (const [n, id] of ids.entries()) {
        const outcome = back[n]!;
        if (outcome.status === 'rejected') {
          expect(erased).toContain(id);
          await expect(images.show(alice, id)).rejects.toMatchObject({ code: 'NotFound' });
          continue;
        }
        restored += 1;
        expect(erased).not.toContain(id);
        expect(await images.show(alice, id)).toMatchObject({ status: 'active', properties: { a: '1' }, tags: ['t'] });
      }
    }
    expect(restored).toBeGreaterThan(0);
    expect(restored).toBeLessThan(rounds * 10);
  });
});
