import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Caller, isServiceError, namespaceFromJson } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, TestRegistry } from '../testing/registry.js';
import { MetadefsInDatabase } from './metadefs-in-database.js';

const contents = {
  resource_type_associations: [{ name: 'T', prefix: 'p_' }],
  properties: { p: { title: 'P', type: 'string' } },
  objects: [{ name: 'o' }],
  tags: [{ name: 't' }],
};

const stranger = callerOf('strangers', ['member', 'reader']);
const noRoles = callerOf('alice', []);
const nobody: Caller = { ...callerOf(null, []), anonymous: true };
const wholeCloud: Caller = { ...callerOf(null, ['admin', 'reader']), systemScope: true };

const callers = { admin, owner: alice, stranger, 'owner without a role': noRoles, nobody, wholeCloud };
type Who = keyof typeof callers;

const tag = { name: 'new' };
const property = { name: 'new', schema: { title: 'N', type: 'string' } };
const object = { name: 'new', description: null, required: [], properties: {} };

type Act = (metadefs: MetadefsInDatabase, caller: Caller, name: string) => Promise<unknown>;
const reads: Readonly<Record<string, Act>> = {
  'show it': (m, c, n) => m.showNamespace(c, n),
  'list its associations': (m, c, n) => m.listAssociations(c, n),
  'list its properties': (m, c, n) => m.list(c, n, 'property'),
  'show a property': (m, c, n) => m.show(c, n, 'property', 'p'),
  'show a property on a resource': (m, c, n) => m.showPropertyOn(c, n, 'T', 'p_p'),
  'list its objects': (m, c, n) => m.list(c, n, 'object'),
  'show an object': (m, c, n) => m.show(c, n, 'object', 'o'),
  'list its tags': (m, c, n) => m.listTags(c, n, { sortKey: 'name', direction: 'asc' }),
  'show a tag': (m, c, n) => m.show(c, n, 'tag', 't'),
};
const writes: Readonly<Record<string, Act>> = {
  'change it': (m, c, n) => m.updateNamespace(c, n, { name: n, owner: 'alice' }),
  'add a property': (m, c, n) => m.create(c, n, 'property', property),
  'change a property': (m, c, n) => m.update(c, n, 'property', 'p', property),
  'remove a property': (m, c, n) => m.remove(c, n, 'property', 'p'),
  'remove all properties': (m, c, n) => m.removeAll(c, n, 'property'),
  'add an object': (m, c, n) => m.create(c, n, 'object', object),
  'change an object': (m, c, n) => m.update(c, n, 'object', 'o', object),
  'remove an object': (m, c, n) => m.remove(c, n, 'object', 'o'),
  'remove all objects': (m, c, n) => m.removeAll(c, n, 'object'),
  'add a tag': (m, c, n) => m.create(c, n, 'tag', tag),
  'add tags': (m, c, n) => m.createTags(c, n, ['new'], true),
  'change a tag': (m, c, n) => m.update(c, n, 'tag', 't', tag),
  'remove a tag': (m, c, n) => m.remove(c, n, 'tag', 't'),
  'remove all tags': (m, c, n) => m.removeAll(c, n, 'tag'),
  'associate it': (m, c, n) => m.associate(c, n, { name: 'U', prefix: null, propertiesTarget: null }),
  'dissociate it': (m, c, n) => m.dissociate(c, n, 'T'),
  'delete it': (m, c, n) => m.removeNamespace(c, n),
};

/** What comes of it: for a private namespace of alice's, and for a public one. */
const expected: Readonly<Record<Who, Readonly<Record<'reads' | 'writes', readonly [string, string]>>>> = {
  admin: { reads: ['ok', 'ok'], writes: ['ok', 'ok'] },
  owner: { reads: ['ok', 'ok'], writes: ['Forbidden', 'Forbidden'] },
  stranger: { reads: ['NotFound', 'ok'], writes: ['NotFound', 'Forbidden'] },
  'owner without a role': { reads: ['NotFound', 'NotFound'], writes: ['NotFound', 'NotFound'] },
  nobody: { reads: ['NotFound', 'NotFound'], writes: ['NotFound', 'NotFound'] },
  wholeCloud: { reads: ['Forbidden', 'Forbidden'], writes: ['Forbidden', 'Forbidden'] },
};

const outcome = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'ok',
    (error: unknown) => {
      if (isServiceError(error)) return error.code;
      throw error;
    },
  );

describe.each(databaseKinds)('what callers may do with metadata definitions on $name', (kind) => {
  let registry: TestRegistry;
  let metadefs: MetadefsInDatabase;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    metadefs = new MetadefsInDatabase(registry.database, () => registry.now);
  });
  afterAll(() => registry.close());

  const fresh = async (visibility: string): Promise<void> => {
    await metadefs.removeNamespace(admin, visibility).catch(() => undefined);
    const namespace = { namespace: visibility, visibility, owner: 'alice', ...contents };
    await metadefs.createNamespace(admin, namespaceFromJson(namespace));
  };
  beforeEach(async () => {
    await fresh('private');
    await fresh('public');
  });

  it.each(Object.keys(callers) as Who[])('%s', async (who) => {
    for (const [group, acts] of Object.entries({ reads, writes })) {
      for (const [what, act] of Object.entries(acts)) {
        for (const [index, visibility] of ['private', 'public'].entries()) {
          const seen = [what, visibility, await outcome(act(metadefs, callers[who], visibility))];
          expect(seen).toEqual([what, visibility, expected[who][group as 'reads' | 'writes'][index]]);
          if (seen[2] === 'ok' && group === 'writes') await fresh(visibility);
        }
      }
    }
  });

  it('lists: own and public ones, to readers', async () => {
    const names = async (caller: Caller): Promise<string[] | string> => {
      const list = metadefs.listNamespaces(caller, { sortKey: 'name', direction: 'asc' });
      const code = await outcome(list);
      return code === 'ok' ? (await list).namespaces.map(({ name }) => name) : code;
    };
    expect(await names(admin)).toEqual(['private', 'public']);
    expect(await names(alice)).toEqual(['private', 'public']);
    expect(await names(bob)).toEqual(['public']);
    expect(await names(noRoles)).toBe('Forbidden');
    expect(await names(nobody)).toBe('Forbidden');
    expect(await outcome(metadefs.listResourceTypes(bob))).toBe('ok');
    expect(await outcome(metadefs.listResourceTypes(nobody))).toBe('Forbidden');
  });

  it('new ones: to administrators', async () => {
    const create = (caller: Caller): Promise<string> =>
      outcome(metadefs.createNamespace(caller, namespaceFromJson({ namespace: 'mine' })));
    expect(await create(alice)).toBe('Forbidden');
    expect(await create(nobody)).toBe('Forbidden');
    expect(await create(admin)).toBe('ok');
  });
});
