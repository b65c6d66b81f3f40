import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Images } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, formats, stored, TestRegistry } from '../testing/registry.js';
import { imageEvent } from './events.js';
import { oldest, Outbox } from './outbox.js';

/** Of Glance's notifier. */
const imageKeys = [
  ...['checksum', 'container_format', 'created_at', 'deleted', 'deleted_at', 'disk_format', 'id', 'is_public'],
  ...['min_disk', 'min_ram', 'name', 'owner', 'properties', 'protected', 'size', 'status', 'tags', 'updated_at'],
  ...['virtual_size', 'visibility'],
];
const uploadKeys = [...imageKeys, 'os_glance_failed_import', 'os_glance_importing_to_stores'].sort();
const memberKeys = ['created_at', 'deleted', 'deleted_at', 'image_id', 'member_id', 'status', 'updated_at'];
const sendKeys = ['bytes_sent', 'image_id', 'owner_id', 'receiver_tenant_id', 'receiver_user_id'];

interface Told {
  readonly type: string;
  readonly priority: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly context: unknown;
}

describe.each(databaseKinds)('notifications in the outbox on $name', (kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const outbox = (...disabled: string[]): Outbox => new Outbox({ drivers: ['log'], disabled }, () => registry.now);
  const images = (...disabled: string[]): Images => registry.images({}, registry.database, outbox(...disabled));
  const told = async (): Promise<Told[]> =>
    (await oldest(registry.database, 1000)).map((row) => ({
      type: row.event_type,
      priority: row.priority,
      payload: JSON.parse(row.payload) as Told['payload'],
      context: JSON.parse(row.context ?? 'null') as unknown,
    }));
  const types = async (): Promise<string[]> => (await told()).map(({ type }) => type);
  const clear = (): Promise<number> => registry.database.run('DELETE FROM notification_outbox');

  async function uploaded(service: Images): Promise<string> {
    const { id } = await service.create(alice, { ...formats, properties: { secret_of: 'no one' } });
    const { lease } = await service.beginUpload(alice, id, { store: 'ceph', size: 5, named: true });
    await service.finishUpload(lease.token, stored(id));
    return id;
  }

  it('tell of every change of an image, in the order of the changes', async () => {
    const service = images();
    const id = await uploaded(service);
    expect(await types()).toEqual([
      'image.create',
      ...['image.update', 'image.prepare'],
      ...['image.upload', 'image.activate', 'image.update'],
    ]);
    await clear();
    await service.update(alice, id, [{ kind: 'attribute', set: { name: 'new' } }]);
    await service.addTag(alice, id, 'tag');
    await service.removeTag(alice, id, 'tag');
    await service.deactivate(admin, id);
    await service.reactivate(admin, id);
    const changes = await told();
    expect(changes.map(({ type }) => type)).toEqual(Array(5).fill('image.update'));
    expect(changes.map(({ payload }) => [payload['tags'], payload['status']])).toEqual([
      [[], 'active'],
      [['tag'], 'active'],
      [[], 'active'],
      [[], 'deactivated'],
      [[], 'active'],
    ]);
    await clear();
    const { lease } = await service.beginDelete(alice, id);
    expect(await types()).toEqual([]);
    registry.pass(1);
    await service.finishDelete(lease!.token);
    await service.finishDelete(lease!.token);
    expect(await told()).toMatchObject([
      {
        type: 'image.delete',
        payload: { id, status: 'deleted', deleted: true, deleted_at: '2026-03-04T05:06:07Z', name: 'new' },
      },
    ]);
  });

  it('say what those of Glance say, and nothing of where the data is', async () => {
    const service = images();
    const id = await uploaded(service);
    const { lease } = await service.beginDelete(alice, id);
    await service.finishDelete(lease!.token);
    const keys = Object.fromEntries((await told()).map(({ type, payload }) => [type, Object.keys(payload).sort()]));
    expect(keys).toEqual({
      'image.create': imageKeys,
      'image.update': imageKeys,
      'image.prepare': ['backend', ...uploadKeys],
      'image.upload': uploadKeys,
      'image.activate': imageKeys,
      'image.delete': imageKeys,
    });
    const all = JSON.stringify(await told());
    expect(all).toContain('"secret_of":"no one"');
    expect(all).not.toContain(stored(id).location.url);
  });

  it('name who asked, also at the end of what takes several calls', async () => {
    const service = images();
    const id = await uploaded(service);
    const { lease } = await service.beginDelete(admin, id);
    await service.finishDelete(lease!.token);
    const context = { request_id: 'req-test', user_id: 'someone' };
    expect(await told()).toMatchObject([
      ...Array.from({ length: 6 }, () => ({ context: { ...context, project_id: 'alice' } })),
      { context: { ...context, project_id: 'admins' } },
    ]);
  });

  it('tell of members', async () => {
    const { id } = await registry.images().create(alice, {});
    const members = registry.members({}, outbox());
    await members.create(alice, id, 'bob');
    await members.update(bob, id, 'bob', 'accepted');
    await members.remove(alice, id, 'bob');
    const events = await told();
    expect(events).toMatchObject([
      { type: 'image.member.create', payload: { image_id: id, member_id: 'bob', status: 'pending', deleted: false } },
      { type: 'image.member.update', payload: { status: 'accepted', deleted_at: null } },
      {
        type: 'image.member.delete',
        payload: {
          status: 'accepted',
          deleted: true,
          deleted_at: new Date(registry.now).toISOString().slice(0, 19) + 'Z',
        },
      },
    ]);
    for (const { payload } of events) expect(Object.keys(payload).sort()).toEqual(memberKeys);
  });

  it('tell of downloads when they are asked for, with an error for those that broke off', async () => {
    const service = images();
    const id = await uploaded(service);
    await service.update(alice, id, [{ kind: 'attribute', set: { visibility: 'community' } }]);
    await clear();
    expect(await service.beginDownload(bob, id)).toMatchObject({ report: true });
    await service.finishDownload(bob, id, { bytes: 5, of: 5 });
    await service.finishDownload(bob, id, { bytes: 4, of: 5 });
    const events = await told();
    const payload = { image_id: id, owner_id: 'alice', receiver_tenant_id: 'bob', receiver_user_id: 'someone' };
    expect(events).toMatchObject([
      { type: 'image.send', priority: 'INFO', payload: { ...payload, bytes_sent: 5 } },
      { type: 'image.send', priority: 'ERROR', payload: { ...payload, bytes_sent: 4 } },
    ]);
    for (const event of events) expect(Object.keys(event.payload).sort()).toEqual(sendKeys);
  });

  it('name the store only where there are several', async () => {
    const service = images();
    const { id } = await service.create(alice, formats);
    await service.beginUpload(alice, id, { store: 'file', size: 5 });
    await uploaded(service);
    const prepared = (await told()).filter(({ type }) => type === 'image.prepare');
    expect(prepared.map(({ payload }) => payload['backend'])).toEqual([undefined, 'ceph']);
  });

  it('say why an upload failed', async () => {
    const service = images();
    const { id } = await service.create(alice, formats);
    const begin = () => service.beginUpload(alice, id, { store: 'ceph', size: 5 });
    const first = await begin();
    await clear();
    await service.cancelUpload(first.lease.token, 'The store is full.');
    await service.cancelUpload(first.lease.token, 'The store is full.');
    expect(await told()).toMatchObject([
      { type: 'image.upload', priority: 'ERROR', payload: `Upload to image ${id} failed: The store is full.` },
      { type: 'image.update', priority: 'INFO', payload: { status: 'queued', size: null } },
    ]);
    await begin();
    await clear();
    registry.pass(61);
    const [due] = await service.claimDue(1);
    await service.cancelUpload(due!.lease.token);
    expect(await told()).toMatchObject([
      { type: 'image.upload', priority: 'ERROR', context: { project_id: 'alice' } },
      { type: 'image.update', payload: { status: 'queued' } },
    ]);
  });

  it('tell of a deletion when it is decided, once, and not if it was taken back', async () => {
    const service = images();
    const id = await uploaded(service);
    const empty = await service.create(alice, {});
    await clear();
    await service.beginDelete(alice, empty.id);
    expect(await told()).toMatchObject([{ type: 'image.delete', payload: { id: empty.id, status: 'deleted' } }]);
    await clear();
    const { lease } = await service.beginDelete(alice, id);
    await service.cancelDelete(lease!.token);
    expect(await types()).toEqual([]);
    const delayed = registry.images({ delayedDelete: true }, registry.database, outbox());
    await delayed.beginDelete(alice, id);
    const [due] = await delayed.claimDue(1);
    await delayed.finishDelete(due!.lease.token);
    expect(await told()).toMatchObject([
      { type: 'image.delete', payload: { id, status: 'pending_delete', deleted: true } },
    ]);
  });

  it('are none for what was refused or rolled back', async () => {
    const service = images();
    const { id } = await service.create(alice, formats);
    await clear();
    const empty = [{ kind: 'property', op: 'remove', name: 'none' }] as const;
    await expect(service.update(alice, id, empty)).rejects.toMatchObject({ code: 'Conflict' });
    await expect(service.create(alice, { id })).rejects.toMatchObject({ code: 'Conflict' });
    await expect(service.beginDelete(callerOf('alice', ['reader']), id)).rejects.toMatchObject({ code: 'Forbidden' });
    const box = outbox();
    let committed = 0;
    box.onAdded(() => (committed += 1));
    const image = await service.show(alice, id);
    const broken = registry.database.transaction(async (tx) => {
      await box.add(tx, null, imageEvent('image.update', image));
      throw new Error('too late');
    });
    await expect(broken).rejects.toThrow('too late');
    expect(await types()).toEqual([]);
    expect(committed).toBe(0);
    await registry.database.transaction((tx) => box.add(tx, null, imageEvent('image.update', image)));
    expect(committed).toBe(1);
  });

  it('are not even written when nobody wants them', async () => {
    const silent = registry.images({}, registry.database, new Outbox({ drivers: [], disabled: [] }));
    const id = await uploaded(silent);
    expect(await silent.beginDownload(alice, id)).not.toHaveProperty('report');
    expect(await types()).toEqual([]);
  });

  it('can be disabled by type and by group', async () => {
    const service = images('image.update', 'image.send');
    const id = await uploaded(service);
    expect(await types()).toEqual(['image.create', 'image.prepare', 'image.upload', 'image.activate']);
    expect(await service.beginDownload(alice, id)).not.toHaveProperty('report');
    await clear();
    await uploaded(images('task', 'image'));
    await registry.members({}, outbox('image')).create(alice, id, 'bob');
    expect(await types()).toEqual([]);
    // Glance: the group ends at the first dot.
    await registry.members({}, outbox('image.member')).create(alice, id, 'carol');
    expect(await types()).toEqual(['image.member.create']);
  });

  it('have room for any text, however long', async () => {
    const box = outbox();
    const image = await registry.images().create(alice, {});
    const event = { ...imageEvent('image.update', image), payload: { text: '𝄞 \\ud834 '.repeat(20_000) } };
    await registry.database.transaction((tx) => box.add(tx, null, event));
    expect(await told()).toMatchObject([{ payload: event.payload }]);
  });

  it('leave properties away that would be too much for a message', async () => {
    const service = images();
    const many = Object.fromEntries(Array.from({ length: 128 }, (_, n) => [`p${n}`, '"'.repeat(60_000)]));
    const { id } = await registry.images().create(alice, { ...formats, properties: many });
    const { lease } = await service.beginUpload(alice, id, { store: 'file', size: 5 });
    expect((await service.finishUpload(lease.token, stored(id))).properties).toEqual(many);
    const properties = (await told()).map(({ payload }) => payload['properties']);
    expect(properties).toEqual(Array(5).fill({}));
  });
});
