import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, Image, ImageChange, Images, NewImage } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, formats, TestRegistry } from '../testing/registry.js';

const strange = { quote: '"\\\n\t\'ä€', '"': '{"a":[1]}', constructor: 'c', 'a b': '', true: 'null' };
const set = (attributes: Extract<ImageChange, { kind: 'attribute' }>['set']): ImageChange[] => [
  { kind: 'attribute', set: attributes },
];
const property = (op: 'add' | 'replace' | 'remove', name: string, value?: string): ImageChange => ({
  kind: 'property',
  op,
  name,
  ...(value !== undefined && { value }),
});

describe.each(databaseKinds)('images on $name', (kind) => {
  let registry: TestRegistry;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    images = registry.images();
  });
  afterAll(() => registry.close());

  const rows = (sql: string, ...values: string[]): Promise<Record<string, unknown>[]> =>
    registry.database.rows(sql, values);

  it('are shown as they were created', async () => {
    const wanted: NewImage = {
      name: 'Debian "12"',
      ...formats,
      minDisk: 3,
      properties: strange,
      tags: ['b', 'ä"', 'b'],
    };
    const image = await images.create(alice, wanted);
    expect(image).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      name: 'Debian "12"',
      owner: 'alice',
      status: 'queued',
      visibility: 'shared',
      ...formats,
      size: null,
      virtualSize: null,
      checksum: null,
      osHashAlgo: null,
      osHashValue: null,
      minDisk: 3,
      minRam: 0,
      protected: false,
      osHidden: false,
      properties: strange,
      tags: ['b', 'ä"'],
      locations: [],
      createdAt: '2026-03-04T05:06:07Z',
      updatedAt: '2026-03-04T05:06:07Z',
    });
    expect(await images.show(alice, image.id)).toEqual(image);
  });

  it('have their times in the form that Glance reads', async () => {
    const { id } = await images.create(alice, {});
    const [row] = await rows('SELECT created_at FROM images WHERE id = ?', id);
    const form = { sqlite: '2026-03-04 05:06:07.890000', mysql: '2026-03-04 05:06:07' };
    expect(row).toEqual({ created_at: form[registry.database.dialect.name] });
  });

  it('may be as large as all quotas allow', async () => {
    const names = Array.from({ length: 128 }, (_, i) => `p${i}`);
    const properties = Object.fromEntries(names.map((name) => [name, 'x'.repeat(65_535)]));
    const image = await images.create(alice, { properties, tags: names });
    expect(image.properties).toEqual(properties);
    expect(image.tags).toEqual(names.sort());
    await expect(images.create(alice, { tags: [...names, 'more'] })).rejects.toMatchObject({ code: 'LimitExceeded' });
    const more = { ...properties, more: '' };
    await expect(images.create(alice, { properties: more })).rejects.toMatchObject({ code: 'LimitExceeded' });
  });

  it('keep an id that is given, and burn it', async () => {
    const id = '0aB10000-0000-4000-8000-00000000000C';
    const image = await images.create(alice, { id });
    expect(image.id).toBe(id);
    expect(await images.show(alice, id)).toEqual(image);
    await expect(images.show(alice, id.toLowerCase())).rejects.toMatchObject({ code: 'NotFound' });
    await expect(images.create(bob, { id })).rejects.toMatchObject({ code: 'Conflict' });
    for (const wrong of ['', 'x', `${id}0`, `${id.slice(1)}g`, `../${id}`, id.replaceAll('-', '')]) {
      await expect(images.create(alice, { id: wrong })).rejects.toMatchObject({ code: 'Invalid' });
    }
  });

  it.each<[string, NewImage, string]>([
    ['reserved properties', { properties: { os_glancex: '' } }, 'Forbidden'],
    ['an empty property name', { properties: { '': '' } }, 'Invalid'],
    ['four-byte characters in a value', { properties: { a: '💾' } }, 'Invalid'],
    ['four-byte characters in a tag', { tags: ['💾'] }, 'Invalid'],
    ['the project of others', { owner: 'bob' }, 'Forbidden'],
    ['no project', { owner: null }, 'Forbidden'],
    ['public images by others than administrators', { visibility: 'public' }, 'Forbidden'],
  ])('are not created with %s', async (_, image, code) => {
    await expect(images.create(alice, image)).rejects.toMatchObject({ code });
  });

  it('are created for any project and for the public by administrators, for the community by members', async () => {
    expect(await images.create(admin, { owner: 'bob', visibility: 'public' })).toMatchObject({
      owner: 'bob',
      visibility: 'public',
    });
    expect(await images.create(alice, { visibility: 'community' })).toMatchObject({ visibility: 'community' });
    await expect(images.create(callerOf('alice', ['reader']), {})).rejects.toMatchObject({ code: 'Forbidden' });
  });

  it.each<[string, NewImage, Caller, string]>([
    ['the private image of another project', { visibility: 'private' }, bob, 'NotFound'],
    ['a shared image of which one is no member', { visibility: 'shared' }, bob, 'NotFound'],
    ['the public image of another project', { visibility: 'public' }, bob, 'Forbidden'],
    ['the community image of another project', { visibility: 'community' }, bob, 'Forbidden'],
    ['an image of the own project as a reader', {}, callerOf('alice', ['reader']), 'Forbidden'],
    ['an image without any role', { visibility: 'public' }, callerOf('alice', []), 'NotFound'],
  ])('answer to changes of %s', async (_, image, caller, code) => {
    const { id } = await images.create(admin, { owner: 'alice', ...image });
    const attempts = [
      images.update(caller, id, set({ name: 'x' })),
      images.update(caller, id, []),
      images.addTag(caller, id, 'x'),
      images.removeTag(caller, id, 'x'),
      images.deactivate(caller, id),
      images.reactivate(caller, id),
      images.beginDelete(caller, id),
      images.beginUpload(caller, id, { store: 'file', size: 1 }),
    ];
    for (const attempt of await Promise.allSettled(attempts)) expect(attempt).toMatchObject({ reason: { code } });
    expect(await images.show(admin, id)).toMatchObject({ name: null, status: 'queued' });
  });

  it('are changed as asked, and updated then', async () => {
    const { id } = await images.create(alice, { properties: { a: '1', b: '2' }, tags: ['x', 'z'] });
    registry.pass(2);
    const changes = [
      ...set({ name: 'new', minRam: 5 }),
      property('remove', 'a'),
      property('replace', 'b', '3'),
      property('add', 'c', '4'),
    ];
    const image = await images.update(alice, id, [...changes, { kind: 'tags', tags: ['y', 'x'] }]);
    expect(image).toMatchObject({ name: 'new', minRam: 5, properties: { b: '3', c: '4' }, tags: ['x', 'y'] });
    expect(image.updatedAt > image.createdAt).toBe(true);
    expect(await images.show(alice, id)).toEqual(image);
    registry.pass(2);
    expect(await images.update(alice, id, [])).toEqual(image);
  });

  it('are not changed at all when one change is wrong', async () => {
    const image = await images.create(alice, { properties: { a: '1' } });
    const changes = [...set({ name: 'new' }), property('add', 'b', '2'), property('remove', 'missing')];
    await expect(images.update(alice, image.id, changes)).rejects.toMatchObject({ code: 'Conflict' });
    expect(await images.show(alice, image.id)).toEqual(image);
  });

  it('keep the row of a removed property and revive it, and bury tags for good', async () => {
    const { id } = await images.create(alice, { properties: { a: '1' }, tags: ['t'] });
    const properties = 'SELECT name, value, deleted FROM image_properties WHERE image_id = ?';
    const tags = 'SELECT value, deleted FROM image_tags WHERE image_id = ? ORDER BY id';
    await images.update(alice, id, [property('remove', 'a'), { kind: 'tags', tags: [] }]);
    expect(await rows(properties, id)).toEqual([{ name: 'a', value: '1', deleted: 1 }]);
    expect(await rows(tags, id)).toEqual([{ value: 't', deleted: 1 }]);
    const image = await images.update(alice, id, [property('add', 'a', '2'), property('add', 'b', '3')]);
    await images.addTag(alice, id, 't');
    expect(image.properties).toEqual({ a: '2', b: '3' });
    expect(await rows(properties, id)).toEqual([
      { name: 'a', value: '2', deleted: 0 },
      { name: 'b', value: '3', deleted: 0 },
    ]);
    expect(await rows(tags, id)).toEqual([
      { value: 't', deleted: 1 },
      { value: 't', deleted: 0 },
    ]);
  });

  it('may have properties that differ by case, unless the database cannot tell them apart', async () => {
    const { id } = await images.create(alice, { properties: { arch: 'x' } });
    const adding = images.update(alice, id, [property('add', 'Arch', 'y')]);
    if (registry.database.dialect.name === 'sqlite')
      expect((await adding).properties).toEqual({ arch: 'x', Arch: 'y' });
    else await expect(adding).rejects.toMatchObject({ code: 'Conflict' });
    await images.update(alice, id, [property('remove', 'arch')]);
    const image = await images.update(alice, id, [property('add', 'Arch', 'z')]);
    expect(image.properties).toEqual({ Arch: 'z' });
  });

  it('may shrink when a quota was lowered, not grow', async () => {
    const { id } = await images.create(alice, { properties: { a: '', b: '', c: '' } });
    const strict = registry.images({ imagePropertyQuota: 1, imageTagQuota: 1 });
    expect((await strict.update(alice, id, [property('remove', 'a')])).properties).toEqual({ b: '', c: '' });
    await strict.update(alice, id, [property('replace', 'b', 'x'), property('remove', 'c'), property('add', 'd', '')]);
    await expect(strict.update(alice, id, [property('add', 'e', '')])).rejects.toMatchObject({ code: 'LimitExceeded' });
    await strict.addTag(alice, id, 'one');
    await strict.addTag(alice, id, 'one');
    await expect(strict.addTag(alice, id, 'two')).rejects.toMatchObject({ code: 'LimitExceeded' });
    const tags = strict.update(alice, id, [{ kind: 'tags', tags: ['one', 'two'] }]);
    await expect(tags).rejects.toMatchObject({ code: 'LimitExceeded' });
    await registry.images({ imageTagQuota: -1 }).addTag(alice, id, 'two');
  });

  it('lose a tag once', async () => {
    const { id } = await images.create(alice, { tags: ['a', 'A'] });
    await images.removeTag(alice, id, 'a');
    await expect(images.removeTag(alice, id, 'a')).rejects.toMatchObject({ code: 'NotFound' });
    expect((await images.show(alice, id)).tags).toEqual(['A']);
    await expect(images.addTag(alice, id, 'x'.repeat(256))).rejects.toMatchObject({ code: 'Invalid' });
  });

  it('change owner and become public by administrators only', async () => {
    const { id } = await images.create(alice, {});
    await expect(images.update(alice, id, set({ owner: 'bob' }))).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(images.update(alice, id, set({ visibility: 'public' }))).rejects.toMatchObject({ code: 'Forbidden' });
    await images.update(alice, id, set({ visibility: 'community' }));
    await images.update(admin, id, set({ visibility: 'public' }));
    expect(await images.update(alice, id, set({ visibility: 'private' }))).toMatchObject({ visibility: 'private' });
    expect(await images.update(admin, id, set({ owner: 'bob' }))).toMatchObject({ owner: 'bob' });
    await expect(images.show(alice, id)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('are active, or deactivated and not downloadable', async () => {
    const { id, locations } = await registry.active({ visibility: 'public' });
    expect(await images.beginDownload(bob, id)).toMatchObject({ locations, image: { id } });
    await expect(images.beginDownload(callerOf('bob', ['reader']), id)).rejects.toMatchObject({ code: 'Forbidden' });
    await images.deactivate(alice, id);
    await images.deactivate(alice, id);
    expect((await images.show(bob, id)).status).toBe('deactivated');
    await expect(images.beginDownload(alice, id)).rejects.toMatchObject({ code: 'Forbidden' });
    expect(await images.beginDownload(admin, id)).toMatchObject({ locations });
    await images.reactivate(alice, id);
    await images.reactivate(alice, id);
    expect((await images.show(bob, id)).status).toBe('active');
    const queued: Image = await images.create(alice, {});
    await expect(images.deactivate(alice, queued.id)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(images.reactivate(alice, queued.id)).rejects.toMatchObject({ code: 'Forbidden' });
    expect(await images.beginDownload(alice, queued.id)).toMatchObject({ locations: [] });
  });

  it('lose none of fifty changes at once, through two registries', async () => {
    const { id } = await images.create(alice, { tags: ['first'] });
    const elsewhere = registry.images({}, await registry.connectAgain());
    const changes = Array.from({ length: 50 }, (_, i) =>
      (i % 2 ? images : elsewhere).update(alice, id, [property('add', `p${i}`, `${i}`)]),
    );
    const tags = Array.from({ length: 10 }, (_, i) => (i % 2 ? images : elsewhere).addTag(alice, id, `t${i}`));
    await Promise.all([...changes, ...tags]);
    const image = await images.show(alice, id);
    expect(Object.keys(image.properties)).toHaveLength(50);
    expect(image.tags).toHaveLength(11);
  });
});
