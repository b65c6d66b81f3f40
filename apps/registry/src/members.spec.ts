import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from './testing/database.js';
import { admin, alice, bob, callerOf, TestRegistry } from './testing/registry.js';
import type { MembersInDatabase } from './members.js';

const carol = callerOf('carol');

describe.each(databaseKinds)('members on $name', (kind) => {
  let registry: TestRegistry;
  let members: MembersInDatabase;
  let id: string;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    members = registry.members();
  });
  beforeEach(async () => {
    ({ id } = await registry.images().create(alice, {}));
  });
  afterAll(() => registry.close());

  it('are added by the owner, pending, and see the image from then on', async () => {
    await expect(registry.images().show(bob, id)).rejects.toMatchObject({ code: 'NotFound' });
    const member = await members.create(alice, id, 'bob');
    const time = expect.stringMatching(/^2026-03-04T05:06:0\dZ$/) as string;
    expect(member).toEqual({ imageId: id, memberId: 'bob', status: 'pending', createdAt: time, updatedAt: time });
    expect(await members.list(alice, id)).toEqual([member]);
    expect(await members.show(alice, id, 'bob')).toEqual(member);
    await registry.images().show(bob, id);
  });

  it('decide for themselves; the owner and others may not', async () => {
    await members.create(alice, id, 'bob');
    await members.create(alice, id, 'carol');
    const image = await registry.images().show(alice, id);
    registry.pass(1);
    expect(await members.update(bob, id, 'bob', 'accepted')).toMatchObject({ status: 'accepted' });
    await expect(members.update(alice, id, 'bob', 'rejected')).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(members.update(carol, id, 'bob', 'rejected')).rejects.toMatchObject({ code: 'NotFound' });
    await expect(members.update(callerOf('bob', ['reader']), id, 'bob', 'pending')).rejects.toMatchObject({
      code: 'Forbidden',
    });
    await expect(members.update(bob, id, 'bob', 'perhaps' as 'pending')).rejects.toMatchObject({ code: 'Invalid' });
    await expect(members.update(admin, id, 'dora', 'accepted')).rejects.toMatchObject({ code: 'NotFound' });
    expect(await members.update(admin, id, 'bob', 'rejected')).toMatchObject({ status: 'rejected' });
    expect(await registry.images().show(alice, id)).toEqual(image);
  });

  it('see themselves only, and are seen by the owner and administrators', async () => {
    await members.create(alice, id, 'bob');
    await members.create(admin, id, 'carol');
    const names = async (caller: typeof alice): Promise<string[]> =>
      (await members.list(caller, id)).map(({ memberId }) => memberId);
    expect(await names(alice)).toEqual(['bob', 'carol']);
    expect(await names(admin)).toEqual(['bob', 'carol']);
    expect(await names(bob)).toEqual(['bob']);
    expect(await members.show(bob, id, 'bob')).toMatchObject({ memberId: 'bob' });
    await expect(members.show(bob, id, 'carol')).rejects.toMatchObject({ code: 'NotFound' });
    await expect(members.list(callerOf('dora'), id)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('are added by the owner only, once, by a name that fits', async () => {
    await members.create(alice, id, 'bob');
    await expect(members.create(alice, id, 'bob')).rejects.toMatchObject({ code: 'Conflict' });
    await expect(members.create(bob, id, 'carol')).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(members.create(carol, id, 'carol')).rejects.toMatchObject({ code: 'NotFound' });
    for (const wrong of ['', 'x'.repeat(256), '💾']) {
      await expect(members.create(alice, id, wrong)).rejects.toMatchObject({ code: 'Invalid' });
    }
  });

  it('are as many as the quota allows', async () => {
    const strict = registry.members({ imageMemberQuota: 1 });
    await strict.create(alice, id, 'bob');
    await expect(strict.create(alice, id, 'carol')).rejects.toMatchObject({ code: 'LimitExceeded' });
    await registry.members({ imageMemberQuota: -1 }).create(alice, id, 'carol');
  });

  it('are removed by the owner, and as new when they come back, in the same row', async () => {
    await members.create(alice, id, 'bob');
    await members.update(bob, id, 'bob', 'accepted');
    await expect(members.remove(bob, id, 'bob')).rejects.toMatchObject({ code: 'Forbidden' });
    await members.remove(alice, id, 'bob');
    await expect(members.remove(alice, id, 'bob')).rejects.toMatchObject({ code: 'NotFound' });
    await expect(registry.images().show(bob, id)).rejects.toMatchObject({ code: 'NotFound' });
    const rows = (): Promise<object[]> =>
      registry.database.rows('SELECT status, deleted FROM image_members WHERE image_id = ?', [id]);
    expect(await rows()).toEqual([{ status: 'accepted', deleted: 1 }]);
    await members.create(alice, id, 'bob');
    expect(await rows()).toEqual([{ status: 'pending', deleted: 0 }]);
  });

  it('are there for shared images only, and wait while an image is not shared', async () => {
    await members.create(alice, id, 'bob');
    const become = (visibility: 'private' | 'shared' | 'community'): Promise<unknown> =>
      registry.images().update(alice, id, [{ kind: 'attribute', set: { visibility } }]);
    await become('community');
    const attempts = [
      members.create(alice, id, 'carol'),
      members.list(alice, id),
      members.update(bob, id, 'bob', 'accepted'),
      members.remove(alice, id, 'bob'),
    ];
    for (const attempt of await Promise.allSettled(attempts))
      expect(attempt).toMatchObject({ reason: { code: 'Forbidden' } });
    await expect(members.show(alice, id, 'bob')).rejects.toMatchObject({ code: 'NotFound' });
    await become('shared');
    expect(await members.list(alice, id)).toHaveLength(1);
  });
});
