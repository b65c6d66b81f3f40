import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Image, Images } from '@glance/domain';
import { inProcess } from '@glance/rpc';
import type { Database } from '../database/database.js';
import { LocationCipher } from '../database/location-cipher.js';
import { startRegistry } from '../start-registry.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, formats, registrySettings, stored, TestRegistry } from '../testing/registry.js';

describe.each(databaseKinds)('with metadata_encryption_key, on $name', (kind) => {
  const key = 'a key of 16 byte';
  const cipher = new LocationCipher(key);
  let registry: TestRegistry;
  let database: Database;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    database = await registry.connectAgain(cipher);
    images = registry.images({}, database);
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const second = { url: 'rbd://f/p/second/snap', metadata: { store: 'ceph' } };
  async function active(): Promise<Image> {
    const { id } = await images.create(admin, { owner: 'alice', ...formats });
    const { lease } = await images.beginUpload(admin, id, { store: 'file', size: null });
    return images.finishUpload(lease.token, stored(id));
  }
  async function withTwo(): Promise<Image> {
    const { id } = await active();
    return images.update(alice, id, [{ kind: 'locations', op: 'add', locations: [{ ...second, size: 5 }] }]);
  }
  const written = (id: string): Promise<{ value: string; status: string }[]> =>
    database.rows('SELECT value, status FROM image_locations WHERE image_id = ? ORDER BY id', [id]);
  const start = (metadataEncryptionKey?: string) =>
    startRegistry(
      { database: registry.place.settings, registry: { ...registrySettings, metadataEncryptionKey } },
      inProcess(),
    );

  it('URLs are encrypted in the database, and nowhere else', async () => {
    const { id } = await withTwo();
    const expected = [stored(id).location, second];
    const values = (await written(id)).map(({ value }) => value);
    expect(values.join('')).not.toContain(':');
    expect(values.map((value) => cipher.open(value))).toEqual(expected.map(({ url }) => url));
    expect((await images.show(alice, id)).locations).toEqual(expected);
    expect(await images.locations(admin, id)).toEqual(expected);
    const listed = await images.list(alice, { filters: [], sort: [], limit: 10, osHidden: false });
    expect(listed.images[0]?.locations).toEqual(expected);
    const located = await registry.scrubbing({}, database).located({ limit: 10 });
    expect(located.map(({ location }) => location)).toEqual(expected);
    expect((await registry.images().show(alice, id)).locations.map(({ url }) => url)).toEqual(values);
  });

  it('what was written before is read', async () => {
    const { id } = await registry.active();
    expect((await images.show(alice, id)).locations).toEqual([stored(id).location]);
    await (await start(key)).close();
  });

  it('metadata are changed, and URLs renewed, of the location that was meant', async () => {
    const { id } = await withTwo();
    const locations = [stored(id).location, { ...second, metadata: { store: 'ceph', tier: 'fast' } }];
    await images.update(alice, id, [{ kind: 'locations', op: 'replace', locations }]);
    const renewed = { url: 'rbd://f/pool/second/snap', metadata: { store: 'rbd' } };
    await images.renewLocations(id, [{ was: locations[1]!, location: renewed }]);
    expect((await images.show(alice, id)).locations).toEqual([
      locations[0],
      { ...renewed, metadata: { store: 'rbd', tier: 'fast' } },
    ]);
    expect((await written(id)).map(({ value }) => cipher.open(value))).toEqual([locations[0]!.url, renewed.url]);
  });

  it('whoever is to erase, is told where', async () => {
    const { id } = await withTwo();
    const removal = await images.beginRemoveLocation(admin, id, 'ceph');
    expect(removal.locations).toEqual([second]);
    registry.pass(61);
    const [abandoned] = await images.claimDue(10, 'abandoned');
    expect(abandoned).toMatchObject({ kind: 'delete', locations: [second] });
    await images.finishDelete(abandoned!.lease.token);
    const delayed = registry.images({ delayedDelete: true }, database);
    await delayed.beginDelete(alice, id);
    const [due] = await delayed.claimDue(10, 'all');
    expect(due).toMatchObject({ kind: 'delete', locations: [stored(id).location] });
  });

  it('deleted images are restored with their locations', async () => {
    const delayed = registry.images({ delayedDelete: true, scrubTime: 3600 }, database);
    const { id } = await withTwo();
    await delayed.beginDelete(alice, id);
    expect((await delayed.restore(alice, id)).locations).toEqual([stored(id).location, second]);
  });

  it('nor are URLs readable in what imports are to do, or have written', async () => {
    const service = { ...admin, roles: [...admin.roles, 'service'] };
    const tasks = registry.tasks({}, undefined, database);
    const begin = async (by = tasks): Promise<{ id: string; task: string }> => {
      const { id } = await images.create(admin, { owner: 'alice', ...formats });
      const request = { location: second, store: 'ceph', hash: false, input: {} };
      return { id, task: (await by.beginLocation(service, id, request)).id };
    };
    const columns = async (task: string): Promise<string> =>
      JSON.stringify(await database.rows('SELECT work, targets FROM import_tasks WHERE task_id = ?', [task]));
    const { id, task } = await begin();
    expect(await columns(task)).not.toContain(second.url);
    const [claimed] = await tasks.claim({ host: null, limit: 10 });
    expect(claimed).toMatchObject({ imageId: id, source: { location: second } });
    const { token } = claimed!.lease;
    // Only URLs of locations are, not what happens to have such a name.
    const properties = { location: 'rack 7' };
    await tasks.written(token, 'ceph', { ...stored(id), location: second, properties });
    expect(await columns(task)).not.toContain(second.url);
    expect(await columns(task)).toContain('rack 7');
    await tasks.finish(task, token);
    expect(await images.show(alice, id)).toMatchObject({ locations: [second], properties });
    const before = await begin(registry.tasks());
    expect(await columns(before.task)).toContain(second.url);
    expect(await tasks.claim({ host: null, limit: 10 })).toMatchObject([{ source: { location: second } }]);
  });

  it('data is not an orphan whose name only an encrypted URL has', async () => {
    const scrubbing = registry.scrubbing({}, database);
    const [elsewhere, stranger] = [randomUUID(), randomUUID()];
    const { id } = await active();
    const url = cipher.seal(`rbd://fsid/images/${elsewhere.toUpperCase()}/snap`);
    await database.run('UPDATE image_locations SET value = ? WHERE image_id = ?', [url, id]);
    // More than are looked at in one go.
    const copies = Array.from({ length: 1000 }, () => '(?, ?, ?, ?, 0)').join(', ');
    const row = [id, cipher.seal('file:///other'), 'active', '2026-03-04 05:06:07'];
    const columns = 'image_id, value, status, created_at, deleted';
    await database.run(
      `INSERT INTO image_locations (${columns}) VALUES ${copies}`,
      Array.from({ length: 1000 }, () => row).flat(),
    );
    await database.run(`INSERT INTO image_locations (${columns}) VALUES (?, ?, ?, ?, 0)`, [
      id,
      cipher.seal(`s3://bucket/${stranger}`),
      ...row.slice(2),
    ]);
    const unknown = randomUUID();
    expect(await scrubbing.unknown('store', [elsewhere, stranger, unknown])).toEqual([unknown]);
    await expect(registry.scrubbing().unknown('store', [unknown])).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('a registry starts with the right key only', async () => {
    await active();
    await expect(start()).rejects.toThrow('are encrypted: set [DEFAULT] metadata_encryption_key');
    await expect(start('another of 16 b.')).rejects.toThrow('is not the key');
    await (await start(key)).close();
  });
});
