import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type NamespaceQuery, namespaceFromJson, type NewNamespace } from '@glance/domain';
import { oldest, Outbox } from '../notifications/outbox.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, TestRegistry } from '../testing/registry.js';
import { MetadefsInDatabase } from './metadefs-in-database.js';

const tables = ['tags', 'objects', 'properties', 'namespace_resource_types', 'namespaces'];
const time = '2026-03-04T05:06:07Z';
const times = { createdAt: time, updatedAt: time };

/** A namespace with one of everything. */
const full = (name = 'Full', more: object = {}): NewNamespace =>
  namespaceFromJson({
    namespace: name,
    owner: 'alice',
    resource_type_associations: [
      { name: 'OS::Glance::Image', prefix: 'hw_' },
      { name: 'OS::Nova::Flavor', prefix: 'hw:', properties_target: 'flavor' },
      { name: 'Unheard::Of' },
    ],
    properties: { bus: { title: 'Bus', type: 'string', enum: ['ide', 'virtio'] } },
    objects: [{ name: 'disk', required: ['size'], properties: { size: { title: 'Size 💾', type: 'integer' } } }],
    tags: [{ name: 'one' }, { name: 'two' }],
    ...more,
  });
const empty = (name: string, more: object = {}): NewNamespace => namespaceFromJson({ namespace: name, ...more });
const newestFirst: NamespaceQuery = { sortKey: 'createdAt', direction: 'desc' };

describe.each(databaseKinds)('metadata definitions on $name', (kind) => {
  let registry: TestRegistry;
  let metadefs: MetadefsInDatabase;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    metadefs = new MetadefsInDatabase(registry.database, () => registry.now);
  });
  beforeEach(async () => {
    registry.now = Date.parse('2026-03-04T05:06:07.000Z');
    for (const table of tables) await registry.database.run(`DELETE FROM metadef_${table}`);
  });
  afterAll(() => registry.close());

  const names = async (caller = admin, query: Partial<NamespaceQuery> = {}): Promise<string[]> =>
    (await metadefs.listNamespaces(caller, { ...newestFirst, ...query })).namespaces.map(({ name }) => name);
  const tagNames = async (name = 'Full'): Promise<string[]> =>
    (await metadefs.list(admin, name, 'tag')).map((tag) => tag.name);
  const rowCounts = (): Promise<number[]> =>
    Promise.all(
      tables.map(
        async (table) =>
          (await registry.database.rows<{ n: number }>(`SELECT COUNT(*) AS n FROM metadef_${table}`))[0]!.n,
      ),
    );

  it('come back as they were written, in one piece', async () => {
    const made = await metadefs.createNamespace(admin, full());
    expect(made).toEqual({
      ...{ name: 'Full', displayName: null, description: null, visibility: 'private', protected: false },
      ...{ owner: 'alice', ...times },
      associations: [
        { name: 'OS::Glance::Image', prefix: 'hw_', propertiesTarget: null, ...times },
        { name: 'OS::Nova::Flavor', prefix: 'hw:', propertiesTarget: 'flavor', ...times },
        { name: 'Unheard::Of', prefix: null, propertiesTarget: null, ...times },
      ],
      properties: [{ name: 'bus', schema: { title: 'Bus', type: 'string', enum: ['ide', 'virtio'] }, ...times }],
      objects: [
        {
          ...{ name: 'disk', description: null, required: ['size'], ...times },
          properties: { size: { title: 'Size 💾', type: 'integer' } },
        },
      ],
      tags: [
        { name: 'two', ...times },
        { name: 'one', ...times },
      ],
    });
    expect(await metadefs.showNamespace(admin, 'Full')).toEqual(made);
    expect((await metadefs.listResourceTypes(alice)).map(({ name }) => name)).toContain('Unheard::Of');
  });

  it('leave nothing behind when a part of them cannot be written', async () => {
    const broken = [
      [full('X', { tags: [{ name: 'same' }, { name: 'same' }] }), 'Conflict'],
      [full('X', { objects: [{ name: 'same' }, { name: 'same' }] }), 'Conflict'],
      [full('X', { resource_type_associations: [{ name: 'same' }, { name: 'same' }] }), 'Conflict'],
      [full('X', { tags: [{ name: 'x'.repeat(81) }] }), 'Invalid'],
      [full('X', { properties: { ['x'.repeat(81)]: { title: 'x', type: 'string' } } }), 'Invalid'],
      [full('X', { properties: { x: { title: 'x'.repeat(70_000), type: 'string' } } }), 'Invalid'],
      [full('X', { resource_type_associations: [{ name: 'a', prefix: 'x'.repeat(81) }] }), 'Invalid'],
      [full('X', { objects: [{ name: 'o', required: ['a,b'] }] }), 'Invalid'],
      [full('x'.repeat(81)), 'Invalid'],
      [full(''), 'Invalid'],
      [full('💾'), 'Invalid'],
      [full('X', { description: 'x'.repeat(501) }), 'Invalid'],
      [full('X', { display_name: 'x'.repeat(81) }), 'Invalid'],
    ] as const;
    for (const [namespace, code] of broken) {
      await expect(metadefs.createNamespace(admin, namespace)).rejects.toMatchObject({ code });
    }
    expect(await rowCounts()).toEqual([0, 0, 0, 0, 0]);
    await metadefs.createNamespace(admin, full('X'));
    await expect(metadefs.createNamespace(admin, full('X'))).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('are listed newest first, page by page, by visibility and resource type', async () => {
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      const visibility = name === 'c' ? 'private' : 'public';
      await metadefs.createNamespace(admin, full(name, { visibility, display_name: `${9 - index}` }));
      if (name !== 'a') registry.pass(1);
    }
    await metadefs.dissociate(admin, 'b', 'Unheard::Of');
    expect(await names()).toEqual(['c', 'b', 'a']);
    expect(await names(admin, { direction: 'asc' })).toEqual(['a', 'b', 'c']);
    expect(await names(admin, { sortKey: 'displayName', direction: 'asc' })).toEqual(['c', 'b', 'a']);
    expect(await names(admin, { visibility: 'private' })).toEqual(['c']);
    expect(await names(admin, { resourceTypes: ['Unheard::Of', 'nonsense'] })).toEqual(['c', 'a']);
    expect(await names(admin, { resourceTypes: ['nonsense'] })).toEqual([]);
    const first = await metadefs.listNamespaces(admin, { ...newestFirst, limit: 2 });
    expect(first).toMatchObject({ namespaces: [{ name: 'c' }, { name: 'b' }], next: 'b' });
    expect(first.namespaces[1]!.associations.map(({ name }) => name)).toEqual([
      'OS::Glance::Image',
      'OS::Nova::Flavor',
    ]);
    const second = await metadefs.listNamespaces(admin, { ...newestFirst, limit: 2, marker: 'b' });
    expect(second).toMatchObject({ namespaces: [{ name: 'a' }], next: null });
    expect(await names(admin, { direction: 'asc', marker: 'a' })).toEqual(['b', 'c']);
    expect(await names(admin, { sortKey: 'updatedAt', direction: 'asc', marker: 'b' })).toEqual(['c']);
    expect(await names(admin, { limit: 0 })).toEqual([]);
    await expect(names(admin, { marker: 'nonsense' })).rejects.toMatchObject({ code: 'NotFound' });
    await expect(names(bob, { marker: 'c' })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('are listed by as many queries whatever their number', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await metadefs.createNamespace(admin, full(name));
    const { database } = registry;
    let asked = 0;
    const counting = Object.assign(Object.create(database) as typeof database, {
      rows: (...query: Parameters<typeof database.rows>) => ((asked += 1), database.rows(...query)),
    });
    const { namespaces } = await new MetadefsInDatabase(counting).listNamespaces(admin, newestFirst);
    expect(namespaces.map(({ associations }) => associations.length)).toEqual([3, 3, 3, 3]);
    expect(asked).toBe(2);
  });

  it('read with the prefix of a resource type', async () => {
    await metadefs.createNamespace(admin, full());
    const on = async (type: string): Promise<unknown> => {
      const { properties, objects } = await metadefs.showNamespace(admin, 'Full', type);
      return [properties[0]!.name, Object.keys(objects[0]!.properties), objects[0]!.required];
    };
    expect(await on('OS::Nova::Flavor')).toEqual(['hw:bus', ['hw:size'], ['hw:size']]);
    expect(await on('Unheard::Of')).toEqual(['bus', ['size'], ['size']]);
    expect(await on('nonsense')).toEqual(['bus', ['size'], ['size']]);
    const property = (type: string, name: string): Promise<unknown> =>
      metadefs.showPropertyOn(admin, 'Full', type, name);
    expect(await property('OS::Nova::Flavor', 'hw:bus')).toMatchObject({ name: 'bus' });
    expect(await property('Unheard::Of', 'bus')).toMatchObject({ name: 'bus' });
    for (const [type, name] of [
      ['OS::Nova::Flavor', 'bus'],
      ['nonsense', 'bus'],
      ['Unheard::Of', 'nonsense'],
    ] as const) {
      await expect(property(type, name)).rejects.toMatchObject({ code: 'NotFound' });
    }
  });

  it('take new attributes all at once, and may be renamed', async () => {
    await metadefs.createNamespace(admin, full('Full', { visibility: 'public', description: 'about' }));
    await metadefs.createNamespace(admin, empty('Other'));
    registry.pass(1);
    const changed = await metadefs.updateNamespace(admin, 'Full', { name: 'Renamed', displayName: 'R' });
    expect(changed).toMatchObject({
      ...{ name: 'Renamed', displayName: 'R', description: null, visibility: 'private', owner: 'admins' },
      ...{ createdAt: time, updatedAt: '2026-03-04T05:06:08Z' },
    });
    expect(await metadefs.showNamespace(admin, 'Renamed')).toMatchObject({ properties: [{ name: 'bus' }] });
    await expect(metadefs.showNamespace(admin, 'Full')).rejects.toMatchObject({ code: 'NotFound' });
    const clash = metadefs.updateNamespace(admin, 'Renamed', { name: 'Other' });
    await expect(clash).rejects.toMatchObject({ code: 'Conflict' });
    await expect(metadefs.updateNamespace(admin, 'Gone', { name: 'x' })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('belong to the project of who wrote them, or to "admin" where there are no projects', async () => {
    expect(await metadefs.createNamespace(admin, empty('mine'))).toMatchObject({ owner: 'admins' });
    const nobody = callerOf(null, ['admin']);
    expect(await metadefs.createNamespace(nobody, empty('everybodys'))).toMatchObject({ owner: 'admin' });
    expect(await metadefs.updateNamespace(nobody, 'mine', { name: 'mine' })).toMatchObject({ owner: 'admins' });
  });

  it('are added, replaced, renamed and removed one by one', async () => {
    await metadefs.createNamespace(admin, empty('N'));
    const object = { name: 'o', description: 'about', required: ['b', 'a'], properties: {} };
    expect(await metadefs.create(admin, 'N', 'object', object)).toEqual({ ...object, ...times });
    const schema = { title: 'T', type: 'array', items: { type: 'string' }, default: ['x'] };
    const property = await metadefs.create(admin, 'N', 'property', { name: 'p', schema });
    expect(property).toEqual({ name: 'p', schema, ...times });
    expect(await metadefs.create(admin, 'N', 'tag', { name: 't' })).toEqual({ name: 't', ...times });
    for (const [kind, definition] of [
      ['object', object],
      ['property', { name: 'p', schema }],
      ['tag', { name: 't' }],
    ] as const) {
      const { name } = definition;
      await expect(metadefs.create(admin, 'N', kind, definition)).rejects.toMatchObject({ code: 'Conflict' });
      await metadefs.create(admin, 'N', kind, { ...definition, name: 'other' });
      const clash = metadefs.update(admin, 'N', kind, name, { ...definition, name: 'other' });
      await expect(clash).rejects.toMatchObject({ code: 'Conflict' });
      registry.pass(1);
      const renamed = await metadefs.update(admin, 'N', kind, name, { ...definition, name: `${name}2` });
      expect(renamed).toMatchObject({ name: `${name}2`, createdAt: expect.stringContaining('2026') as string });
      expect(renamed.updatedAt > renamed.createdAt).toBe(true);
      expect(await metadefs.show(admin, 'N', kind, `${name}2`)).toEqual(renamed);
      expect((await metadefs.list(admin, 'N', kind)).map((one) => one.name)).toEqual([`${name}2`, 'other']);
      await metadefs.remove(admin, 'N', kind, `${name}2`);
      for (const attempt of [
        () => metadefs.show(admin, 'N', kind, name),
        () => metadefs.remove(admin, 'N', kind, name),
        () => metadefs.update(admin, 'N', kind, name, definition),
        () => metadefs.show(admin, 'nonsense', kind, name),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'NotFound' });
      }
      await metadefs.removeAll(admin, 'N', kind);
      expect(await metadefs.list(admin, 'N', kind)).toEqual([]);
    }
  });

  it('have names that are told apart by case, or refused where the database cannot', async () => {
    await metadefs.createNamespace(admin, full('Case'));
    await expect(metadefs.showNamespace(admin, 'case')).rejects.toMatchObject({ code: 'NotFound' });
    await expect(metadefs.show(admin, 'Case', 'tag', 'ONE')).rejects.toMatchObject({ code: 'NotFound' });
    const attempts = await Promise.allSettled([
      metadefs.createNamespace(admin, empty('CASE')),
      metadefs.create(admin, 'Case', 'tag', { name: 'ONE' }),
      metadefs.associate(admin, 'Case', { name: 'UNHEARD::of', prefix: null, propertiesTarget: null }),
    ]);
    for (const attempt of attempts) {
      if (kind.name === 'SQLite') expect(attempt).toMatchObject({ status: 'fulfilled' });
      else expect(attempt).toMatchObject({ reason: { code: 'Conflict' } });
    }
  });

  it('take several tags at once, instead of what is there or beside it', async () => {
    await metadefs.createNamespace(admin, full());
    await metadefs.createTags(admin, 'Full', ['three', 'four'], false);
    expect(await tagNames()).toEqual(['three', 'four']);
    await metadefs.createTags(admin, 'Full', ['five'], true);
    expect(await tagNames()).toEqual(['three', 'four', 'five']);
    for (const [tags, append, code] of [
      [['five'], true, 'Conflict'],
      [['six', 'six'], false, 'Conflict'],
      [['x'.repeat(81)], false, 'Invalid'],
    ] as const) {
      await expect(metadefs.createTags(admin, 'Full', tags, append)).rejects.toMatchObject({ code });
    }
    await metadefs.createTags(admin, 'Full', [], false);
    expect(await tagNames()).toEqual(['three', 'four', 'five']);
  });

  it('list tags page by page', async () => {
    await metadefs.createNamespace(admin, full('Other'));
    await metadefs.createNamespace(admin, full('Full', { tags: ['c', 'a', 'd', 'b'].map((name) => ({ name })) }));
    const page = async (query: object): Promise<string> => {
      const tags = await metadefs.listTags(admin, 'Full', { sortKey: 'createdAt', direction: 'desc', ...query });
      return tags.map(({ name }) => name).join('');
    };
    expect(await page({})).toBe('bdac');
    expect(await page({ limit: 2 })).toBe('bd');
    expect(await page({ limit: 2, marker: 'd' })).toBe('ac');
    expect(await page({ sortKey: 'name', direction: 'asc', marker: 'b' })).toBe('cd');
    await expect(page({ marker: 'one' })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('may not be deleted where they are protected, and may be changed', async () => {
    await metadefs.createNamespace(admin, full('Full', { protected: true }));
    for (const attempt of [
      () => metadefs.removeNamespace(admin, 'Full'),
      () => metadefs.dissociate(admin, 'Full', 'OS::Nova::Flavor'),
      () => metadefs.remove(admin, 'Full', 'tag', 'one'),
      () => metadefs.remove(admin, 'Full', 'object', 'disk'),
      () => metadefs.remove(admin, 'Full', 'property', 'bus'),
      () => metadefs.removeAll(admin, 'Full', 'tag'),
      () => metadefs.removeAll(admin, 'Full', 'object'),
      () => metadefs.removeAll(admin, 'Full', 'property'),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'Forbidden', message: /protected/ });
    }
    await metadefs.update(admin, 'Full', 'tag', 'one', { name: 'eins' });
    await metadefs.updateNamespace(admin, 'Full', { name: 'Full' });
    await metadefs.removeNamespace(admin, 'Full');
    expect(await rowCounts()).toEqual([0, 0, 0, 0, 0]);
  });

  it('forget what a namespace held when it is deleted, and nothing else', async () => {
    await metadefs.createNamespace(admin, full('A'));
    const before = await rowCounts();
    await metadefs.createNamespace(admin, full('B'));
    await metadefs.removeNamespace(admin, 'B');
    expect(await rowCounts()).toEqual(before);
  });

  it('are associated with resource types once, and dissociated', async () => {
    await metadefs.createNamespace(admin, empty('N'));
    const association = { name: 'Some::Type', prefix: 's_', propertiesTarget: 'image' };
    expect(await metadefs.associate(admin, 'N', association)).toEqual({ ...association, ...times });
    await expect(metadefs.associate(admin, 'N', association)).rejects.toMatchObject({ code: 'Conflict' });
    expect(await metadefs.listAssociations(admin, 'N')).toHaveLength(1);
    await metadefs.dissociate(admin, 'N', 'Some::Type');
    await expect(metadefs.dissociate(admin, 'N', 'Some::Type')).rejects.toMatchObject({ code: 'NotFound' });
    expect(await metadefs.listAssociations(admin, 'N')).toEqual([]);
  });

  it('tell of every change in the transaction that makes it', async () => {
    await registry.database.run('DELETE FROM notification_outbox');
    const outbox = new Outbox({ drivers: ['messagingv2'], disabled: [] }, () => registry.now);
    const telling = new MetadefsInDatabase(registry.database, () => registry.now, outbox);
    await telling.createNamespace(admin, full('E', { tags: [] }));
    await telling.updateNamespace(admin, 'E', { name: 'F' });
    await telling.create(admin, 'F', 'tag', { name: 't' });
    await telling.update(admin, 'F', 'tag', 't', { name: 'u' });
    await telling.createTags(admin, 'F', ['v', 'w'], true);
    await telling.remove(admin, 'F', 'tag', 'u');
    await telling.dissociate(admin, 'F', 'Unheard::Of');
    for (const one of ['property', 'object', 'tag'] as const) await telling.removeAll(admin, 'F', one);
    await expect(telling.create(admin, 'F', 'tag', { name: '' })).rejects.toMatchObject({ code: 'Invalid' });
    await telling.removeNamespace(admin, 'F');
    const events = (await oldest(registry.database, 100)).map(({ event_type, payload }) => {
      const told = JSON.parse(payload) as Record<string, unknown>;
      return [
        event_type,
        told['name'] ?? told['namespace'],
        told['name_old'] ?? told['namespace_old'],
        told['deleted'],
      ];
    });
    expect(events).toEqual([
      ['metadef_namespace.create', 'E', 'E', false],
      ['metadef_resource_type.create', 'OS::Glance::Image', 'OS::Glance::Image', false],
      ['metadef_resource_type.create', 'OS::Nova::Flavor', 'OS::Nova::Flavor', false],
      ['metadef_resource_type.create', 'Unheard::Of', 'Unheard::Of', false],
      ['metadef_object.create', 'disk', 'disk', false],
      ['metadef_property.create', 'bus', 'bus', false],
      ['metadef_namespace.update', 'F', 'E', false],
      ['metadef_tag.create', 't', 't', false],
      ['metadef_tag.update', 'u', 't', false],
      ['metadef_tag.create', 'v', 'v', false],
      ['metadef_tag.create', 'w', 'w', false],
      ['metadef_tag.delete', 'u', 'u', true],
      ['metadef_resource_type.delete', 'Unheard::Of', 'Unheard::Of', true],
      ['metadef_namespace.delete_properties', 'F', 'F', false],
      ['metadef_namespace.delete_objects', 'F', 'F', false],
      ['metadef_namespace.delete_tags', 'F', 'F', false],
      ['metadef_namespace.delete', 'F', 'F', true],
    ]);
  });
});
