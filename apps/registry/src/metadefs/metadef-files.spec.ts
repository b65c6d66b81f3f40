import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { namespaceFromJson } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, TestRegistry } from '../testing/registry.js';
import { exportMetadefs, loadMetadefs, type OnExisting, ownDefinitions, unloadMetadefs } from './metadef-files.js';
import { MetadefsInDatabase } from './metadefs-in-database.js';

/** Debian's package glance-common. */
const glanceDefinitions = '/etc/glance/metadefs';

const filesIn = (directory: string): string[] => readdirSync(directory).map((name) => join(directory, name));
const parse = (file: string): Record<string, unknown> => JSON.parse(readFileSync(file, 'utf8')) as never;

type Json = Readonly<Record<string, unknown>>;

/** What a file means, apart from its order and from what need not be said: read by nothing of the service. */
function meaning(file: string): [string, unknown] {
  const { resource_type_associations: types, properties, objects, tags, ...attributes } = parse(file);
  const byName = (parts: unknown): Json =>
    Object.fromEntries(((parts ?? []) as Json[]).map((part): [string, Json] => [part['name'] as string, part]));
  return [
    attributes['namespace'] as string,
    {
      ...{ visibility: 'private', protected: false, owner: 'admin', ...attributes },
      ...{ types: byName(types), properties: properties ?? {}, objects: byName(objects), tags: byName(tags) },
    },
  ];
}
const meanings = (files: readonly string[]): Record<string, unknown> => Object.fromEntries(files.map(meaning));

describe.each(databaseKinds)('files of definitions on $name', (kind) => {
  let registry: TestRegistry;
  let metadefs: MetadefsInDatabase;
  let directory: string;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    metadefs = new MetadefsInDatabase(registry.database);
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'glance-metadefs-'));
    await unloadMetadefs(registry.database);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (name: string, content: unknown): string => {
    const file = join(directory, name);
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };

  it.each([
    ['that come with Glance', glanceDefinitions, 30],
    ['of our own', ownDefinitions, 10],
  ])('load and export again without a loss: those %s', async (_whose, source, atLeast) => {
    const files = filesIn(source);
    expect(files.length).toBeGreaterThanOrEqual(atLeast);
    const { loaded, kept, failed } = await loadMetadefs(registry.database, source);
    expect({ loaded: loaded.length, kept, failed }).toEqual({ loaded: files.length, kept: [], failed: [] });
    const exported = await exportMetadefs(registry.database, directory);
    expect(filesIn(directory).sort()).toEqual([...exported].sort());
    expect(meanings(exported)).toEqual(meanings(files));

    await unloadMetadefs(registry.database);
    expect((await metadefs.listResourceTypes(admin)).length).toBe(0);
    await loadMetadefs(registry.database, directory);
    const again = mkdtempSync(join(tmpdir(), 'glance-metadefs-'));
    expect(meanings(await exportMetadefs(registry.database, again))).toEqual(meanings(files));
    rmSync(again, { recursive: true });
  });

  it('are those of the service where no others are named', async () => {
    const { loaded } = await loadMetadefs(registry.database);
    expect(loaded.length).toBe(readdirSync(ownDefinitions).length);
  });

  const text = (title: string): object => ({ title, type: 'string' });
  const before = {
    ...{ namespace: 'N', display_name: 'old', visibility: 'public', tags: [{ name: 'old' }, { name: 'both' }] },
    resource_type_associations: [
      { name: 'Old', prefix: 'o_' },
      { name: 'Both', prefix: 'old_' },
    ],
    ...{ properties: { old: text('old'), both: text('old') } },
    objects: [
      { name: 'old', properties: { x: text('old') } },
      { name: 'both', description: 'old', properties: { x: text('old') } },
    ],
  };
  const after = {
    ...{ namespace: 'N', display_name: 'new', protected: true, tags: [{ name: 'both' }, { name: 'new' }] },
    resource_type_associations: [{ name: 'Both', prefix: 'new_' }, { name: 'New' }],
    ...{ properties: { both: text('new'), new: text('new') } },
    objects: [
      { name: 'both', description: 'new', properties: { y: text('new') } },
      { name: 'new', description: null, properties: null },
    ],
  };

  it.each<[OnExisting, string, Record<'name' | 'prefix' | 'property' | 'object', string>, string]>([
    ['keep', 'kept', { name: 'old', prefix: 'old_', property: 'old', object: 'old' }, 'both old'],
    ['merge', 'loaded', { name: 'old', prefix: 'old_', property: 'old', object: 'old' }, 'both new old'],
    ['prefer-new', 'loaded', { name: 'new', prefix: 'new_', property: 'new', object: 'new' }, 'both new old'],
    ['overwrite', 'loaded', { name: 'new', prefix: 'new_', property: 'new', object: 'new' }, 'both new'],
  ])('%s what is there already', async (existing, becomes, wins, names) => {
    await loadMetadefs(registry.database, write('before.json', before));
    const report = await loadMetadefs(registry.database, write('after.json', after), existing);
    expect(report).toEqual({ loaded: [], kept: [], failed: [], [becomes]: ['N'] });
    const namespace = await metadefs.showNamespace(admin, 'N');
    const named = (parts: readonly { name: string }[]): string =>
      parts
        .map(({ name }) => name)
        .sort()
        .join(' ');
    const both = <T extends { name: string }>(parts: readonly T[]): T => parts.find(({ name }) => name === 'both')!;
    expect({
      name: namespace.displayName,
      prefix: namespace.associations.find(({ name }) => name === 'Both')!.prefix,
      property: both(namespace.properties).schema['title'],
      object: both(namespace.objects).description,
    }).toEqual(wins);
    expect(named(namespace.properties)).toBe(names);
    expect(named(namespace.objects)).toBe(names);
    expect(named(namespace.tags)).toBe(names);
    expect(named(namespace.associations).toLowerCase()).toBe(names);
  });

  it('that are broken are told of, leave nothing, and keep no other from being loaded', async () => {
    write('good.json', { namespace: 'good' });
    write('no-json.json', '{');
    write('no-namespace.json', {});
    write('twice.json', { namespace: 'twice', tags: [{ name: 'a' }, { name: 'a' }] });
    write('long.json', { namespace: 'long', description: 'x'.repeat(501) });
    write('ignored.txt', 'nothing');
    const { loaded, failed } = await loadMetadefs(registry.database, directory);
    expect(loaded).toEqual(['good']);
    expect(failed.map(({ file }) => file)).toEqual(
      ['long', 'no-json', 'no-namespace', 'twice'].map((name) => join(directory, `${name}.json`)),
    );
    const { namespaces } = await metadefs.listNamespaces(admin, { sortKey: 'name', direction: 'asc' });
    expect(namespaces.map(({ name }) => name)).toEqual(['good']);
  });

  it('must be there', async () => {
    await expect(loadMetadefs(registry.database, directory)).rejects.toMatchObject({ code: 'Invalid' });
    const missing = loadMetadefs(registry.database, join(directory, 'nowhere'));
    await expect(missing).rejects.toMatchObject({ code: 'Invalid' });
  });

  it('have what others wrote into them', async () => {
    const odd = { title: 'Odd', type: 'string', name: 'odd', confidential: true, description: null };
    const file = write('odd.json', { namespace: 'odd', comment: 'hello', properties: { odd } });
    expect(await loadMetadefs(registry.database, file)).toMatchObject({ loaded: ['odd'] });
    const { schema } = await metadefs.show(admin, 'odd', 'property', 'odd');
    expect(schema).toEqual({ title: 'Odd', type: 'string', confidential: true });
  });

  it('are named after their namespaces, without one in the place of another', async () => {
    for (const namespace of ['a::b', 'a:b', 'ä_b/c'])
      await metadefs.createNamespace(admin, namespaceFromJson({ namespace }));
    const names = (await exportMetadefs(registry.database, join(directory, 'new'))).map((file) =>
      file.split('/').at(-1),
    );
    expect(names.sort()).toEqual(['a-b-2.json', 'a-b.json', 'ä_b-c.json']);
  });
});
