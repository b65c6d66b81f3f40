import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const unknown = '/v2/images/00000000-0000-4000-8000-00000000dead';
const patch = (path: string, body: unknown, minor = 1) =>
  service.ask('PATCH', path, {
    body,
    headers: { 'content-type': `application/openstack-images-v2.${minor}-json-patch` },
  });

describe('creating an image', () => {
  it('takes an empty object', async () => {
    const { status, headers, json } = await service.ask('POST', '/v2/images', { body: '{}' });
    const image = json();
    expect(status).toBe(201);
    expect(headers['content-type']).toBe('application/json');
    expect(headers.location).toBe(`${service.api.url}${String(image['self'])}`);
    expect(headers['x-openstack-request-id']).toMatch(/^req-/);
    expect(image).toMatchObject({ status: 'queued', visibility: 'shared', name: null, size: null, tags: [] });
    expect(image['created_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it('keeps what it is given', async () => {
    const given = {
      id: 'aaaaaaaa-0000-4000-8000-00000000000A',
      name: 'Grüße',
      visibility: 'public',
      owner: 'p',
      disk_format: 'qcow2',
      container_format: 'bare',
      min_disk: 1,
      min_ram: 2,
      protected: true,
      os_hidden: true,
      tags: ['x'],
      os_distro: 'debian',
      toString: 'x',
      '1': 'one',
    };
    expect((await service.ask('POST', '/v2/images', { body: given })).status).toBe(201);
    expect(await service.show(`/v2/images/${given.id}`)).toMatchObject(given);
  });

  it.each([
    ['a malformed id', { id: 'x' }, 400],
    ['a format that is not configured', { disk_format: 'floppy' }, 400],
    ['a property that is not text', { x: 1 }, 400],
    ['an attribute of the server', { status: 'active' }, 403],
    ['a name of the server', { os_glance_x: 'y' }, 403],
    ['too many tags', { tags: Array.from({ length: 129 }, (_, n) => `t${n}`) }, 413],
    ['too many properties', Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`p${n}`, 'x'])), 413],
  ])('refuses %s', async (_what, body, status) => {
    expect((await service.ask('POST', '/v2/images', { body })).status).toBe(status);
  });

  it('refuses an id that was used before, even by an image that is deleted', async () => {
    const id = 'bbbbbbbb-0000-4000-8000-00000000000a';
    expect((await service.ask('POST', '/v2/images', { body: { id } })).status).toBe(201);
    expect((await service.ask('POST', '/v2/images', { body: { id } })).status).toBe(409);
    expect((await service.ask('DELETE', `/v2/images/${id}`)).status).toBe(204);
    expect((await service.ask('POST', '/v2/images', { body: { id } })).status).toBe(409);
  });
});

describe('showing an image', () => {
  it('does not know one that is not there', async () => {
    expect((await service.ask('GET', unknown)).status).toBe(404);
    expect((await service.ask('GET', '/v2/images/nonsense')).status).toBe(404);
  });

  it('hides that there is one from who may not see it', async () => {
    const path = await service.create({ visibility: 'private', owner: 'alice' });
    const headers = { 'x-project': 'bob' };
    for (const [method, target] of [
      ['GET', path],
      ['DELETE', path],
      ['GET', `${path}/file`],
      ['PUT', `${path}/tags/x`],
      ['POST', `${path}/actions/deactivate`],
    ] as const) {
      expect((await service.ask(method, target, { headers })).status).toBe(404);
    }
  });
});

describe('changing an image', () => {
  it('applies all steps and shows the result', async () => {
    const path = await service.create({ name: 'old', os_distro: 'debian' });
    const { status, json, headers } = await patch(path, [
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/os_version', value: '12' },
      { op: 'remove', path: '/os_distro' },
      { op: 'replace', path: '/tags', value: ['a'] },
    ]);
    expect(status).toBe(200);
    expect(headers['accept-patch']).toBeUndefined();
    expect(json()).toMatchObject({ name: 'new', os_version: '12', tags: ['a'] });
    expect(await service.show(path)).not.toHaveProperty('os_distro');
  });

  it('applies none if one is refused', async () => {
    const path = await service.create({ name: 'old' });
    const steps = [{ op: 'replace', path: '/name', value: 'new' }];
    expect((await patch(path, [...steps, { op: 'remove', path: '/absent' }])).status).toBe(409);
    expect((await patch(path, [...steps, { op: 'replace', path: '/status', value: 'active' }])).status).toBe(403);
    expect(await service.show(path)).toMatchObject({ name: 'old' });
  });

  it('does nothing for no steps', async () => {
    const path = await service.create({ name: 'same' });
    expect((await patch(path, [])).json()).toMatchObject({ name: 'same' });
  });

  it('knows the older notation', async () => {
    const path = await service.create({ name: 'old', x: '1' });
    expect((await patch(path, [{ replace: '/name', value: 'new' }], 0)).status).toBe(200);
    expect((await patch(path, [{ add: '/y', value: '2' }], 0)).json()).toMatchObject({ name: 'new', y: '2' });
    expect((await patch(path, [{ add: '/x', value: '2' }], 0)).status).toBe(409);
    expect((await patch(path, [{ add: '/name', value: '2' }], 0)).status).toBe(409);
  });

  it.each([undefined, 'application/json', 'text/plain'])(
    'refuses a patch of the type %s, and names those it takes',
    async (type) => {
      const path = await service.create();
      const { status, headers } = await service.ask('PATCH', path, {
        body: [],
        headers: type ? { 'content-type': type } : {},
      });
      expect(status).toBe(415);
      expect(headers['accept-patch']).toBe(
        'application/openstack-images-v2.1-json-patch, application/openstack-images-v2.0-json-patch',
      );
    },
  );

  it.each([
    ['no list', {}, 400],
    ['an unknown operation', [{ op: 'move', path: '/name', from: '/x' }], 400],
    ['an attribute that cannot go', [{ op: 'remove', path: '/name' }], 403],
    ['an attribute of the server', [{ op: 'replace', path: '/checksum', value: 'x' }], 403],
    ['locations', [{ op: 'add', path: '/locations/-', value: { url: 'file:///etc/passwd', metadata: {} } }], 403],
    ['a property that is not there', [{ op: 'replace', path: '/absent', value: 'x' }], 409],
    ['too many tags', [{ op: 'replace', path: '/tags', value: Array.from({ length: 129 }, (_, n) => `t${n}`) }], 413],
  ])('refuses %s', async (_what, body, status) => {
    expect((await patch(await service.create(), body)).status).toBe(status);
  });

  it('does not know an image that is not there', async () => {
    expect((await patch(unknown, [])).status).toBe(404);
  });

  it('is for the owner: others who see the image are refused', async () => {
    const path = await service.create({ visibility: 'public', owner: 'alice' });
    const { status } = await service.ask('PATCH', path, {
      body: [{ op: 'replace', path: '/name', value: 'mine' }],
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch', 'x-project': 'bob' },
    });
    expect(status).toBe(403);
  });
});

describe('listing images', () => {
  it('pages through all of them by its own links, with repeated parameters', async () => {
    for (let n = 0; n < 5; n++) await service.create({ name: `page${n}`, tags: ['red', 'round'] });
    await service.create({ name: 'page9', tags: ['red'] });
    const names: unknown[] = [];
    let link: string | undefined = '/v2/images?limit=2&tag=red&tag=round&sort_key=name&sort_key=id&sort_dir=asc';
    while (link !== undefined) {
      const page: { images: { name: string }[]; first: string; next?: string; schema: string } = (
        await service.ask('GET', link)
      ).json();
      expect(page.schema).toBe('/v2/schemas/images');
      expect(page.first).not.toContain('marker');
      names.push(...page.images.map(({ name }) => name));
      link = page.next;
    }
    expect(names).toEqual(['page0', 'page1', 'page2', 'page3', 'page4']);
  });

  it('has no images on a page of none', async () => {
    expect((await service.ask('GET', '/v2/images?limit=0')).json()).toMatchObject({ images: [] });
  });

  it.each([
    'limit=-1',
    'limit=x',
    `marker=00000000-0000-4000-8000-00000000dead`,
    'marker=nonsense',
    'visibility=secret',
    'member_status=x',
    'sort_key=nonsense',
    'sort_dir=up',
    'sort=name&sort_key=name',
    'created_at=yesterday',
    'size_min=small',
    'name=neq:x',
    'name=in:%22x',
    'protected=maybe',
    'os_hidden=maybe',
    'changes-since=2026-11-22',
  ])('refuses %s', async (query) => {
    expect((await service.ask('GET', `/v2/images?${query}`)).status).toBe(400);
  });

  it.each([
    '%',
    '&&&',
    '=',
    'limit',
    'name=%ff%fe',
    'a[b]=c&a[]=d',
    '__proto__=x',
    'foo_min=x',
    `name=${'x'.repeat(5000)}`,
  ])('does not break at %s', async (query) => {
    const { status } = await service.ask('GET', `/v2/images?${query}`);
    expect([200, 400]).toContain(status);
  });
});

describe('deleting an image', () => {
  it('takes it and its data away', async () => {
    const path = await service.upload('data');
    expect(service.driver.images.size).toBeGreaterThan(0);
    expect((await service.ask('DELETE', path)).status).toBe(204);
    expect((await service.ask('GET', path)).status).toBe(404);
    expect((await service.ask('DELETE', path)).status).toBe(404);
    expect([...service.driver.images.keys()]).not.toContain(`memory://${path.split('/').at(-1)}`);
  });

  it('is refused for a protected image', async () => {
    expect((await service.ask('DELETE', await service.create({ protected: true }))).status).toBe(403);
  });
});
