import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

const root = '/v2/metadefs/namespaces';
const dated = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string;
const times = { created_at: dated, updated_at: dated };

const full = {
  namespace: 'T::One',
  display_name: 'One',
  description: 'about',
  visibility: 'public',
  protected: false,
  owner: 'alice',
  resource_type_associations: [{ name: 'T::R', prefix: 't_', properties_target: 'image' }, { name: 'T::S' }],
  properties: {
    kind: { title: 'Kind', type: 'string', enum: ['x', 'y'], default: 'x', operators: ['<in>'] },
    count: { title: 'Count', type: 'integer', minimum: 0, maximum: 5, default: 3 },
    flag: { title: 'Flag', type: 'boolean', default: true },
    list: { title: 'List', type: 'array', items: { type: 'string', enum: ['a'] }, default: ['a'] },
  },
  objects: [{ name: 'o', required: ['p'], properties: { p: { title: 'P', type: 'boolean' } } }],
  tags: [{ name: 't1' }, { name: 't2' }],
};

describe('the metadefs API', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());

  const ask = (method: string, path: string, body?: unknown, headers = {}) =>
    service.ask(method, path.startsWith('/v2') ? path : `${root}${path}`, { body, headers });
  const status = async (...request: Parameters<typeof ask>): Promise<number> => (await ask(...request)).status;
  const json = async (...request: Parameters<typeof ask>): Promise<Record<string, unknown>> =>
    (await ask(...request)).json();

  beforeEach(async () => {
    expect(await status('POST', '', full)).toBe(201);
  });
  afterEach(async () => {
    const { namespaces } = await json('GET', '');
    for (const { namespace } of namespaces as { namespace: string }[]) {
      await ask('PUT', `/${namespace}`, { namespace });
      expect(await status('DELETE', `/${namespace}`)).toBe(204);
    }
  });

  it('creates a namespace with all that is in it, and shows it', async () => {
    await ask('DELETE', '/T::One');
    const created = await ask('POST', '', full);
    expect(created.status).toBe(201);
    expect(created.headers.location).toBe(`${service.api.url}${root}/T::One`);
    const { kind, list } = full.properties;
    const shown = {
      ...full,
      ...times,
      resource_type_associations: full.resource_type_associations.map((type) => ({ ...type, ...times })),
      // Defaults that are numbers or truth values are text on the wire.
      properties: {
        kind,
        list,
        count: { ...full.properties.count, default: '3' },
        flag: { ...full.properties.flag, default: 'True' },
      },
      objects: [
        { ...full.objects[0], ...times, self: `${root}/T::One/objects/o`, schema: '/v2/schemas/metadefs/object' },
      ],
      tags: [{ name: 't2' }, { name: 't1' }],
      self: `${root}/T::One`,
      schema: '/v2/schemas/metadefs/namespace',
    };
    expect(created.json()).toEqual(shown);
    const got = await ask('GET', '/T::One');
    expect(got.headers['content-type']).toBe('application/json');
    expect(got.json()).toEqual(shown);
    expect(await status('POST', '', full)).toBe(409);
  });

  it('leaves out what a namespace does not have', async () => {
    expect(await json('POST', '', { namespace: 'bare', owner: 'alice' })).toEqual({
      ...{ namespace: 'bare', owner: 'alice', visibility: 'private', protected: false, ...times },
      ...{ self: `${root}/bare`, schema: '/v2/schemas/metadefs/namespace' },
    });
  });

  it('shows properties with the prefix of a resource type', async () => {
    const shown = await json('GET', '/T::One?resource_type=T::R');
    expect(Object.keys(shown['properties'] as object)).toEqual(['t_kind', 't_count', 't_flag', 't_list']);
    expect(shown['objects']).toMatchObject([{ required: ['t_p'], properties: { t_p: { title: 'P' } } }]);
    expect(await json('GET', '/T::One/properties/t_kind?resource_type=T::R')).toMatchObject({ name: 'kind' });
    expect(await json('GET', '/T::One/properties/kind?resource_type=T::S')).toMatchObject({ name: 'kind' });
    expect(await status('GET', '/T::One/properties/kind?resource_type=T::R')).toBe(404);
    expect(await status('GET', '/T::One/properties/kind?resource_type=nonsense')).toBe(404);
    expect(await status('GET', '/T::One/properties/kind?foo=bar')).toBe(200);
  });

  it('lists namespaces page by page', async () => {
    await ask('POST', '', { namespace: 'T::Two' });
    const named = (namespace: string): object => ({ namespace });
    const first = await json('GET', '?limit=1&sort_key=namespace&sort_dir=desc');
    expect(first).toMatchObject({
      namespaces: [named('T::Two')],
      first: `${root}?limit=1&sort_key=namespace&sort_dir=desc`,
      next: `${root}?limit=1&sort_key=namespace&sort_dir=desc&marker=T%3A%3ATwo`,
      schema: '/v2/schemas/metadefs/namespaces',
    });
    const second = await json('GET', first['next'] as string);
    expect(second).toMatchObject({
      namespaces: [{ ...named('T::One'), resource_type_associations: [{ name: 'T::R' }, { name: 'T::S' }] }],
      next: expect.stringContaining('marker=T%3A%3AOne') as string,
    });
    const last = await json('GET', second['next'] as string);
    expect(last).toEqual({ namespaces: [], first: first['first'], schema: first['schema'] });
    const all = await json('GET', '');
    expect(all).toMatchObject({ first: root });
    expect(all).not.toHaveProperty('next');
    expect((await json('GET', ''))['namespaces']).toHaveLength(2);
    expect(await json('GET', '?visibility=private')).toMatchObject({ namespaces: [named('T::Two')] });
    expect(await json('GET', '?resource_types=T::S,nonsense')).toMatchObject({ namespaces: [named('T::One')] });
    expect(await json('GET', '?limit=0')).toMatchObject({ namespaces: [] });
    expect(await json('GET', '?foo=bar&limit=1')).toMatchObject({ first: `${root}?foo=bar&limit=1` });
  });

  it.each([
    ['limit=-1', 400],
    ['limit=x', 400],
    ['sort_key=bad', 400],
    ['sort_dir=bad', 400],
    ['visibility=shared', 400],
    ['marker=nonsense', 404],
    ['sort_key=owner', 200],
    ['sort_key=id', 200],
  ])('answers a list with %s by %i', async (query, expected) => {
    expect(await status('GET', `?${query}`)).toBe(expected);
  });

  it('replaces the attributes of a namespace, and only those', async () => {
    const body = { namespace: 'T::Zwei', properties: { x: { title: 'x', type: 'string' } } };
    expect(await json('PUT', '/T::One', { ...body, protected: true })).toMatchObject({
      ...{ namespace: 'T::Zwei', visibility: 'private', protected: true, self: `${root}/T::Zwei` },
    });
    const shown = await json('GET', '/T::Zwei');
    expect(shown).not.toHaveProperty('description');
    expect(Object.keys(shown['properties'] as object)).toEqual(['kind', 'count', 'flag', 'list']);
    await ask('POST', '', { namespace: 'other' });
    expect(await status('PUT', '/T::Zwei', { namespace: 'other' })).toBe(409);
    expect(await status('PUT', '/T::One', { namespace: 'x' })).toBe(404);
  });

  it.each<[unknown, number]>([
    [undefined, 400],
    ['{', 400],
    [[], 400],
    [{}, 400],
    [{ namespace: 1 }, 400],
    [{ namespace: '' }, 400],
    [{ namespace: 'x'.repeat(81) }, 400],
    [{ namespace: '💾' }, 400],
    [{ namespace: 'x', foo: 1 }, 400],
    [{ namespace: 'x', description: 'y'.repeat(501) }, 400],
    [{ namespace: 'x', display_name: null }, 400],
    [{ namespace: 'x', display_name: 'y'.repeat(81) }, 400],
    [{ namespace: 'x', visibility: 'shared' }, 400],
    [{ namespace: 'x', protected: 'yes' }, 400],
    [{ namespace: 'x', self: 'y' }, 403],
    [{ namespace: 'x', schema: 'y' }, 403],
    [{ namespace: 'x', created_at: 'y' }, 403],
    [{ namespace: 'x', updated_at: 'y' }, 403],
    [{ namespace: 'x', properties: [] }, 400],
    [{ namespace: 'x', properties: { p: { title: 't' } } }, 400],
    [{ namespace: 'x', properties: { p: { title: 't', type: 'foo' } } }, 400],
    [{ namespace: 'x', properties: { p: { title: 't', type: 'string', foo: 1 } } }, 400],
    [{ namespace: 'x', properties: { ['p'.repeat(81)]: { title: 't', type: 'string' } } }, 400],
    [{ namespace: 'x', objects: {} }, 400],
    [{ namespace: 'x', objects: [{}] }, 400],
    [{ namespace: 'x', objects: [{ name: 'o' }, { name: 'o' }] }, 409],
    [{ namespace: 'x', tags: [{}] }, 400],
    [{ namespace: 'x', tags: ['t'] }, 400],
    [{ namespace: 'x', tags: [{ name: 't' }, { name: 't' }] }, 409],
    [{ namespace: 'x', resource_type_associations: [{}] }, 400],
    [{ namespace: 'x', resource_type_associations: [{ name: 'a', foo: 1 }] }, 400],
    [{ namespace: 'x', resource_type_associations: [{ name: 'a' }, { name: 'a' }] }, 409],
  ])('refuses the namespace %j by %i, and nothing of it stays', async (body, expected) => {
    expect(await status('POST', '', body)).toBe(expected);
    expect(await status('GET', '/x')).toBe(404);
  });

  it('creates, lists, shows, changes and deletes properties', async () => {
    const all = {
      ...{ name: 'q', title: 'Q', description: 'd', type: 'array', items: { type: 'string', enum: ['1'] } },
      ...{ minItems: 1, maxItems: 3, uniqueItems: true, additionalItems: false, readonly: true, operators: ['<in>'] },
      ...{ pattern: '^a', minLength: 0, maxLength: 4, minimum: 0.5, maximum: 9, required: ['z'], enum: [1, 'a'] },
    };
    const created = await ask('POST', '/T::One/properties', all);
    expect([created.status, created.json()]).toEqual([201, all]);
    expect(created.headers.location).toBe(`${service.api.url}${root}/T::One/properties/q`);
    expect(await status('POST', '/T::One/properties', all)).toBe(409);
    expect(await json('GET', '/T::One/properties/q')).toEqual(all);
    const { name: _, ...schema } = all;
    const { properties } = await json('GET', '/T::One/properties');
    expect(properties).toMatchObject({ kind: full.properties.kind, q: schema });
    const renamed = { name: 'r', title: 'R', type: 'string' };
    expect(await json('PUT', '/T::One/properties/q', renamed)).toEqual(renamed);
    expect(await status('PUT', '/T::One/properties/r', { ...renamed, name: 'kind' })).toBe(409);
    expect(await status('PUT', '/T::One/properties/q', renamed)).toBe(404);
    expect(await status('DELETE', '/T::One/properties/r')).toBe(204);
    expect(await status('DELETE', '/T::One/properties/r')).toBe(404);
    expect(await status('DELETE', '/T::One/properties')).toBe(204);
    expect(await json('GET', '/T::One/properties')).toEqual({ properties: {} });
  });

  it.each<[object, number]>([
    [{ title: 't', type: 'string' }, 400],
    [{ name: 'r', type: 'string' }, 400],
    [{ name: 'r', title: 't' }, 400],
    [{ name: 'r', title: 't', type: null }, 400],
    [{ name: '', title: 't', type: 'string' }, 400],
    [{ name: 'r'.repeat(81), title: 't', type: 'string' }, 400],
    [{ name: 'r', title: 't', type: 'string', foo: 1 }, 400],
    [{ name: 'r', title: 't', type: 'string', created_at: 'x' }, 403],
    [{ name: 'r', title: 't', type: 'string', minLength: -1 }, 400],
    [{ name: 'r', title: 't', type: 'string', minimum: '1' }, 400],
    [{ name: 'r', title: 't', type: 'string', operators: 'x' }, 400],
    [{ name: 'r', title: 't', type: 'string', enum: 'x' }, 400],
    [{ name: 'r', title: 't', type: 'string', required: [1] }, 400],
    [{ name: 'r', title: 't', type: 'array', items: { type: 'x' } }, 400],
    [{ name: 'r', title: 't', type: 'array', items: [] }, 400],
    [{ name: 'r', title: 't', type: 'string', readonly: 'x' }, 400],
  ])('refuses the property %j by %i', async (body, expected) => {
    expect(await status('POST', '/T::One/properties', body)).toBe(expected);
    expect(await status('PUT', '/T::One/properties/kind', body)).toBe(expected);
  });

  it('creates, lists, shows, changes and deletes objects', async () => {
    const links = { self: `${root}/T::One/objects/new`, schema: '/v2/schemas/metadefs/object' };
    const created = await ask('POST', '/T::One/objects', { name: 'new', description: 'd' });
    const shown = { name: 'new', description: 'd', required: [], properties: {}, ...times, ...links };
    expect([created.status, created.json()]).toEqual([201, shown]);
    expect(created.headers.location).toBe(`${service.api.url}${links.self}`);
    expect(await json('GET', '/T::One/objects/new')).toEqual(shown);
    const { objects, schema } = await json('GET', '/T::One/objects?limit=1');
    expect(schema).toBe('v2/schemas/metadefs/objects');
    expect(objects).toMatchObject([{ name: 'o', required: ['p'] }, { name: 'new' }]);
    expect(await status('GET', '/T::One/objects?limit=0')).toBe(400);
    expect(await status('POST', '/T::One/objects', { name: 'new' })).toBe(409);
    expect(await json('PUT', '/T::One/objects/new', { name: 'newer' })).toMatchObject({ name: 'newer' });
    expect(await status('PUT', '/T::One/objects/newer', { name: 'o' })).toBe(409);
    for (const [body, expected] of [
      [{}, 400],
      [{ name: 'x', foo: 1 }, 400],
      [{ name: 'x'.repeat(81) }, 400],
      [{ name: 'x', required: 'y' }, 400],
      [{ name: 'x', properties: { p: { title: 'x' } } }, 400],
      [{ name: 'x', self: 'y' }, 403],
    ] as const) {
      expect(await status('POST', '/T::One/objects', body)).toBe(expected);
    }
    expect(await status('DELETE', '/T::One/objects/newer')).toBe(204);
    expect(await status('GET', '/T::One/objects/newer')).toBe(404);
    expect(await status('DELETE', '/T::One/objects')).toBe(204);
    expect(await json('GET', '/T::One/objects')).toMatchObject({ objects: [] });
  });

  it('creates, lists, shows, changes and deletes tags', async () => {
    const created = await ask('POST', '/T::One/tags/t3');
    expect([created.status, created.json()]).toEqual([201, { name: 't3', ...times }]);
    expect(await status('POST', '/T::One/tags/t3')).toBe(409);
    expect(await status('POST', '/T::One/tags/t4', { name: 't4' })).toBe(400);
    expect(await status('POST', `/T::One/tags/${'x'.repeat(81)}`)).toBe(400);
    expect(await json('GET', '/T::One/tags/t3')).toEqual({ name: 't3', ...times });
    expect(await json('GET', '/T::One/tags?sort_key=name&sort_dir=asc&limit=2&marker=t1')).toEqual({
      tags: [{ name: 't2' }, { name: 't3' }],
    });
    expect(await status('GET', '/T::One/tags?sort_key=bad')).toBe(400);
    expect(await json('PUT', '/T::One/tags/t3', { name: 't4' })).toMatchObject({ name: 't4' });
    expect(await status('PUT', '/T::One/tags/t4', { name: 't1' })).toBe(409);
    expect(await status('PUT', '/T::One/tags/t4', {})).toBe(400);
    expect(await status('PUT', '/T::One/tags/t4', { name: 'x', created_at: 'y' })).toBe(403);
    expect(await status('DELETE', '/T::One/tags/t4')).toBe(204);
    expect(await status('DELETE', '/T::One/tags')).toBe(204);
    expect(await json('GET', '/T::One/tags')).toEqual({ tags: [] });
  });

  it('creates several tags, instead of those that are there or in addition', async () => {
    const tags = async (names: string[], headers = {}): Promise<[number, unknown]> => {
      const body = { tags: names.map((name) => ({ name })) };
      const answer = await ask('POST', '/T::One/tags', body, headers);
      return [answer.status, answer.status === 201 ? answer.json() : undefined];
    };
    const list = async (): Promise<unknown> => (await json('GET', '/T::One/tags'))['tags'];
    expect(await tags(['a', 'b'])).toEqual([201, { tags: [{ name: 'a' }, { name: 'b' }] }]);
    expect(await list()).toEqual([{ name: 'b' }, { name: 'a' }]);
    expect(await tags(['c'], { 'x-openstack-append': 'True' })).toEqual([201, { tags: [{ name: 'c' }] }]);
    expect(await list()).toHaveLength(3);
    expect(await tags(['c'], { 'x-openstack-append': 'true' })).toEqual([409, undefined]);
    expect(await tags(['d'], { 'x-openstack-append': 'false' })).toEqual([201, { tags: [{ name: 'd' }] }]);
    expect(await list()).toEqual([{ name: 'd' }]);
    for (const body of [{}, { tags: 'a' }, { tags: ['a'] }, { tags: [{ name: 'a', foo: 1 }] }, { foo: [] }]) {
      expect(await status('POST', '/T::One/tags', body)).toBe(400);
    }
    expect(await list()).toEqual([{ name: 'd' }]);
  });

  it('associates namespaces with resource types', async () => {
    const { resource_types: known } = await json('GET', '/v2/metadefs/resource_types');
    expect(known).toContainEqual({ name: 'OS::Glance::Image', ...times });
    const body = { name: 'T::New', prefix: 'n:', properties_target: 'image' };
    const created = await ask('POST', '/T::One/resource_types', body);
    expect([created.status, created.json()]).toEqual([201, { ...body, ...times }]);
    expect(created.headers.location).toBe(`${service.api.url}${root}/T::One/resource_types/T::New`);
    expect(await status('POST', '/T::One/resource_types', body)).toBe(409);
    expect(await json('GET', '/T::One/resource_types')).toMatchObject({
      resource_type_associations: [{ name: 'T::R', prefix: 't_' }, { name: 'T::S' }, body],
    });
    for (const [wrong, expected] of [
      [{}, 400],
      [{ name: 'x'.repeat(81) }, 400],
      [{ name: 'y', foo: 1 }, 400],
      [{ name: 'y', prefix: null }, 400],
      [{ name: 'y', prefix: 'p'.repeat(81) }, 400],
      [{ name: 'y', created_at: 'x' }, 403],
    ] as const) {
      expect(await status('POST', '/T::One/resource_types', wrong)).toBe(expected);
    }
    expect(await status('DELETE', '/T::One/resource_types/T::New')).toBe(204);
    expect(await status('DELETE', '/T::One/resource_types/T::New')).toBe(404);
  });

  it('keeps what is protected', async () => {
    await ask('PUT', '/T::One', { namespace: 'T::One', protected: true });
    for (const path of [
      ...['', '/properties', '/properties/kind', '/objects', '/objects/o', '/tags', '/tags/t1'],
      '/resource_types/T::R',
    ]) {
      const answer = await ask('DELETE', `/T::One${path}`);
      expect([path, answer.status]).toEqual([path, 403]);
    }
    expect(await status('PUT', '/T::One/tags/t1', { name: 'renamed' })).toBe(200);
  });

  it('shows private namespaces to their project, and lets only administrators write', async () => {
    await ask('POST', '', { namespace: 'secret', owner: 'alice', tags: [{ name: 't' }] });
    const [alice, bob] = [{ 'x-project': 'alice' }, { 'x-project': 'bob' }];
    expect(await status('GET', '/secret', undefined, alice)).toBe(200);
    expect(await status('GET', '/secret', undefined, bob)).toBe(404);
    expect(await status('GET', '/secret/tags/t', undefined, bob)).toBe(404);
    expect(await json('GET', '', undefined, bob)).toMatchObject({ namespaces: [{ namespace: 'T::One' }] });
    expect(await status('POST', '', { namespace: 'x' }, alice)).toBe(403);
    expect(await status('PUT', '/secret', { namespace: 'x' }, alice)).toBe(403);
    expect(await status('PUT', '/secret', { namespace: 'x' }, bob)).toBe(404);
    expect(await status('DELETE', '/T::One/tags', undefined, bob)).toBe(403);
  });

  it('says which methods a path has', async () => {
    expect(await status('DELETE', '')).toBe(405);
    expect(await status('PUT', '/T::One/tags', {})).toBe(405);
    expect(await status('GET', '/T::One/resource_types/T::R')).toBe(405);
    expect(await status('GET', '/v2/metadefs')).toBe(404);
    expect(await status('GET', '/T::One', {})).toBe(400);
    expect(await status('DELETE', '/T::One', {})).toBe(400);
  });

  it('reaches names that need escaping', async () => {
    const name = 'a b/ü';
    const created = await ask('POST', '', { namespace: name });
    expect(created.json()).toMatchObject({ namespace: name, self: `${root}/a%20b%2F%C3%BC` });
    expect(await json('GET', created.json()['self'] as string)).toMatchObject({ namespace: name });
    expect(await status('DELETE', created.json()['self'] as string)).toBe(204);
  });
});
