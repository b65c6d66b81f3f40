import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { isHealthy, type Service, startService, target } from './service.js';

let service: Service;
let images: ImageClient;
let active: string;

beforeAll(async () => {
  service = await startService();
  images = imageClient(service.url);
  active = await images.create({ name: 'active', kept: 'value' });
  await images.upload(active, Buffer.from('0123456789'));
});
afterAll(() => service.close());
afterEach(async () => {
  expect(await isHealthy(service.url)).toBe(true);
});

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const nestedObjects = (depth: number): string => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
const list = (query: string): Promise<number> =>
  send('GET', `${service.url}/v2/images?${query}`).then(({ status }) => status);

/** Cases that Glance answers with 500, or that it lets through against its own rules: ours does not. */
const ours = target === 'ours';

describe('creating an image', () => {
  const post = (body: string): Promise<number> =>
    send('POST', `${service.url}/v2/images`, { headers: { 'content-type': 'application/json' }, body }).then(
      ({ status }) => status,
    );

  it.each([
    ['no body', ''],
    ['no JSON', '{"name":'],
    ['a string', '"name"'],
    ['a name that is no string', '{"name":7}'],
    ['a name that is too long', JSON.stringify({ name: 'x'.repeat(256) })],
    ['an id that is no UUID', '{"id":"../../etc/passwd"}'],
    ['an unknown visibility', '{"visibility":"secret"}'],
    ['an unknown disk format', '{"disk_format":"floppy"}'],
    ['an unknown container format', '{"container_format":"box"}'],
    ['a negative min_ram', '{"min_ram":-1}'],
    ['a min_disk beyond 32 bits', '{"min_disk":2147483648}'],
    ['protected that is no boolean', '{"protected":"true"}'],
    ['tags that are no list', '{"tags":"red"}'],
    ['a tag that is no string', '{"tags":[1]}'],
    ['a tag that is too long', JSON.stringify({ tags: ['x'.repeat(256)] })],
    ['a property that is no string', '{"kind":{"a":1}}'],
    ['a property that is null', '{"kind":null}'],
    ['a property whose name is too long', JSON.stringify({ ['x'.repeat(256)]: 'y' })],
    ['a kernel that is no UUID', '{"kernel_id":"linux"}'],
  ])('with %s is answered with 400', async (_, body) => {
    expect(await post(body)).toBe(400);
  });

  it.runIf(ours).each([
    ['a list', '[]'],
    ['a number', '7'],
    ['lists that are nested 10,000 deep', nested(10_000)],
    ['objects that are nested 10,000 deep', nestedObjects(10_000)],
    ['a property that holds objects nested 10,000 deep', `{"kind":${nestedObjects(10_000)}}`],
    ['a name outside of the basic plane', JSON.stringify({ name: '💥' })],
  ])('with %s is answered with 400', async (_, body) => {
    expect(await post(body)).toBe(400);
  });

  it.each([
    'status',
    'checksum',
    'size',
    'virtual_size',
    'created_at',
    'updated_at',
    'self',
    'file',
    'schema',
    'direct_url',
  ])('with %s, which only the server sets, is answered with 403', async (name) => {
    expect(await post(JSON.stringify({ [name]: name.endsWith('size') ? 7 : 'active' }))).toBe(403);
  });

  it.each(['locations', 'os_glance_import_task', 'deleted_at'])(
    'with the reserved %s is answered with 403',
    async (name) => {
      expect(await post(JSON.stringify({ [name]: name === 'locations' ? [] : 'x' }))).toBe(403);
    },
  );

  it('with an id that was ever used is answered with 409', async () => {
    const id = await images.create();
    expect(await post(JSON.stringify({ id }))).toBe(409);
    await images.remove(id);
    expect(await post(JSON.stringify({ id }))).toBe(409);
  });

  it('with more tags or properties than the quota is answered with 413', async () => {
    const names = Array.from({ length: 129 }, (_, index) => `n${index}`);
    expect(await post(JSON.stringify({ tags: names }))).toBe(413);
    expect(await post(JSON.stringify(Object.fromEntries(names.map((name) => [name, 'v']))))).toBe(413);
  });
});

describe('changing an image', () => {
  const patch = (body: string, type = 'application/openstack-images-v2.1-json-patch'): Promise<number> =>
    send('PATCH', `${service.url}/v2/images/${active}`, { headers: { 'content-type': type }, body }).then(
      ({ status }) => status,
    );
  const step = (op: string, path: string, value?: unknown): Promise<number> =>
    patch(JSON.stringify([{ op, path, value }]));

  it('of another media type is answered with 415, and told the right ones', async () => {
    expect(await patch('[]', 'application/json')).toBe(415);
    const url = `${service.url}/v2/images/${active}`;
    const reply = await send('PATCH', url, { headers: { 'content-type': 'application/json-patch+json' }, body: '[]' });
    expect(reply.headers['accept-patch']).toContain('application/openstack-images-v2.1-json-patch');
  });

  it.each([
    ['no JSON', '[{'],
    ['an object', '{}'],
    ['a step that is no object', '["replace"]'],
    ['a step without a path', '[{"op":"remove"}]'],
    ['a step without a value', '[{"op":"replace","path":"/name"}]'],
    ['an unknown step', '[{"op":"move","path":"/name","from":"/kept"}]'],
    ['a path without a slash', '[{"op":"replace","path":"name","value":"x"}]'],
    ['a path that ends with a slash', '[{"op":"replace","path":"/name/","value":"x"}]'],
    ['a path of two parts', '[{"op":"add","path":"/tags/-","value":"x"}]'],
    ['a path with a broken escape', '[{"op":"add","path":"/a~2b","value":"x"}]'],
    ['a property that is no string', '[{"op":"add","path":"/kept","value":7}]'],
    ['an unknown visibility', '[{"op":"replace","path":"/visibility","value":"secret"}]'],
    ['a negative min_ram', '[{"op":"replace","path":"/min_ram","value":-1}]'],
  ])('with %s is answered with 400', async (_, body) => {
    expect(await patch(body)).toBe(400);
  });

  it.runIf(ours).each([
    ['steps that are nested 10,000 deep', nested(10_000)],
    ['a value that is nested 10,000 deep', `[{"op":"add","path":"/kept","value":${nested(10_000)}}]`],
  ])('with %s is answered with 400', async (_, body) => {
    expect(await patch(body)).toBe(400);
  });

  it.each(['id', 'status', 'checksum', 'size', 'created_at', 'os_hash_value', 'os_glance_x', 'deleted', 'location'])(
    'of %s, which only the server sets, is answered with 403',
    async (name) => {
      expect(await step('replace', `/${name}`, 'x')).toBe(403);
    },
  );

  it('that removes what an image always has is answered with 403', async () => {
    expect(await step('remove', '/name')).toBe(403);
    expect(await step('remove', '/tags')).toBe(403);
  });

  it('of the format of an image with data is answered with 403', async () => {
    expect(await step('replace', '/disk_format', 'qcow2')).toBe(403);
    expect(await step('replace', '/container_format', 'ovf')).toBe(403);
  });

  it('that replaces or removes what is not there is answered with 409, and nothing of it happens', async () => {
    expect(await step('replace', '/missing', 'x')).toBe(409);
    expect(await step('remove', '/missing')).toBe(409);
    const both = [
      { op: 'replace', path: '/name', value: 'half' },
      { op: 'remove', path: '/missing' },
    ];
    expect(await patch(JSON.stringify(both))).toBe(409);
    expect((await images.image(active)).name).toBe('active');
  });

  it('beyond a quota is answered with 413', async () => {
    expect(
      await step(
        'replace',
        '/tags',
        Array.from({ length: 129 }, (_, index) => `t${index}`),
      ),
    ).toBe(413);
    const many = Array.from({ length: 129 }, (_, index) => ({ op: 'add', path: `/p${index}`, value: 'v' }));
    expect(await patch(JSON.stringify(many))).toBe(413);
  });
});

describe('a list', () => {
  it.each([
    'limit=-1',
    'limit=x',
    'limit=1.5',
    'marker=nowhere',
    `marker=${randomUUID()}`,
    'sort_key=secret',
    'sort_dir=up',
    'sort=name:up',
    'sort=name&sort_key=name',
    'sort_key=name&sort_key=size&sort_dir=asc&sort_dir=asc&sort_dir=asc',
    'visibility=secret',
    'member_status=unsure',
    'protected=maybe',
    'created_at=yesterday',
    'updated_at=near:2026-01-01T00:00:00Z',
    'size_min=x',
    'changes-since=2026-01-01T00:00:00Z',
    'name=in:%22a,b',
    'status=gt:active',
    'os_hidden=maybe',
  ])('by %s is answered with 400', async (query) => {
    expect(await list(query)).toBe(400);
  });

  it.each([
    'limit=0',
    'limit=99999',
    'status=unknown',
    'kind=%00%ff',
    'tag=%27%20OR%201=1--',
    "name=x';DROP TABLE images",
  ])('by %s is answered, and harms nothing', async (query) => {
    expect(await list(query.replaceAll(' ', '%20'))).toBeLessThan(500);
    expect((await images.image(active)).status).toBe('active');
  });
});
