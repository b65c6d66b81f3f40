import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError, unauthenticatedCaller } from '@glance/domain';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../testing/http-client.js';
import { startService, type TestService } from '../testing/service.js';
import { raw } from '../testing/uploading.js';

interface Location {
  readonly url: string;
  readonly metadata: Readonly<Record<string, string>>;
}

let service: TestService;

/** Who asks says in headers who he is. */
const identity = {
  identify: ({ id, headers }: { id: string; headers: IncomingHttpHeaders }) => ({
    ...unauthenticatedCaller(id),
    projectId: (headers['x-project'] as string | undefined) ?? 'owner',
    roles: ((headers['x-roles'] as string | undefined) ?? 'admin,member,reader').split(','),
  }),
};

beforeAll(async () => {
  service = await startService({
    identity,
    stores: ['second'],
    settings: { showMultipleLocations: true, showImageDirectUrl: true, httpRetries: 1 },
  });
});
afterAll(() => service.close());
beforeEach(() => {
  service.driver.images.set('memory://there', Buffer.from('there'));
  service.driver.images.set('memory://there-too', Buffer.from('there'));
});
afterEach(() => {
  service.driver.onDelete = () => undefined;
  service.driver.onRead = () => undefined;
});

const sha512 = createHash('sha512').update('there').digest('hex');
const plain = { 'x-roles': 'member,reader' };
const patchType = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
const patch = (path: string, steps: unknown, headers = {}): Promise<Answer> =>
  service.ask('PATCH', path, { headers: { ...patchType, ...headers }, body: JSON.stringify(steps) });
const at = (url: string, more = {}): Record<string, unknown> => ({ url, metadata: {}, ...more });
const add = (path: string, value: unknown, headers = {}): Promise<Answer> =>
  patch(path, [{ op: 'add', path: '/locations/-', value }], headers);
const urlsOf = async (path: string): Promise<string[]> =>
  ((await service.show(path))['locations'] as Location[]).map(({ url }) => url);

describe('a location added by PATCH', () => {
  it('makes a queued image active; its size is that of the data', async () => {
    const path = await service.create(raw);
    expect((await add(path, at('memory://there', { metadata: { note: 'mine' } }))).status).toBe(200);
    expect(await service.show(path)).toMatchObject({
      status: 'active',
      size: 5,
      virtual_size: null,
      checksum: null,
      os_hash_value: null,
      locations: [{ url: 'memory://there', metadata: { note: 'mine', store: 'memory' } }],
      direct_url: 'memory://there',
      stores: 'memory',
    });
    expect((await service.ask('GET', `${path}/file`)).text).toBe('there');
  });

  it('is vouched for by validation_data, once', async () => {
    const path = await service.create(raw);
    const digests = { checksum: 'a'.repeat(32), os_hash_algo: 'sha512', os_hash_value: sha512 };
    expect((await add(path, at('memory://there', { validation_data: digests }))).status).toBe(200);
    expect(await service.show(path)).toMatchObject(digests);
    expect((await add(path, at('memory://there-too', { validation_data: digests }))).status).toBe(200);
    const other = { ...digests, os_hash_value: 'b'.repeat(128) };
    expect((await add(path, at('memory://there-too', { validation_data: other }))).status).toBe(409);
  });

  it.each([
    ['of another algorithm', { os_hash_algo: 'sha256', os_hash_value: 'a'.repeat(64) }, 409],
    ['that is no hexadecimal', { os_hash_algo: 'sha512', os_hash_value: 'x'.repeat(128) }, 409],
    ['that is too short', { os_hash_algo: 'sha512', os_hash_value: 'ab' }, 409],
    ['without a value', { os_hash_algo: 'sha512' }, 400],
    ['with something else', { os_hash_algo: 'sha512', os_hash_value: sha512, md5: 'x' }, 400],
  ])('is refused with validation_data %s', async (_what, digests, status) => {
    const path = await service.create(raw);
    expect((await add(path, at('memory://there', { validation_data: digests }))).status).toBe(status);
    expect(await service.show(path)).toMatchObject({ status: 'queued', locations: [] });
  });

  it.each([
    ['a file of the service', at('file:///etc/passwd')],
    ['a file by another name', at('filesystem:///etc/passwd')],
    ['Swift as the service configured it', at('swift+config://ref/container/object')],
    ['a scheme of no store', at('http://169.254.169.254/latest/meta-data')],
    ['nothing', at('memory://nothing')],
    ['no URL', at('there')],
    ['a URL with a line break', at('memory://th\nere')],
    ['a URL that is too long', at(`memory://${'x'.repeat(255)}`)],
    ['a location without metadata', { url: 'memory://there' }],
    ['metadata that is no text', at('memory://there', { metadata: { n: 1 } })],
    ['null', null],
  ])('is not %s', async (_what, value) => {
    const path = await service.create(raw);
    const answer = await add(path, value);
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('passwd');
  });

  it('is not there twice, and needs formats, a position and a right', async () => {
    const path = await service.create(raw);
    const twice = { op: 'add', path: '/locations/-', value: at('memory://there') };
    expect((await patch(path, [twice, twice])).status).toBe(400);
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
    expect((await patch(path, [{ ...twice, path: '/locations/7' }])).status).toBe(200);
    for (const position of ['-1', 'x', '1.5', '']) {
      expect((await patch(path, [{ ...twice, path: `/locations/${position}` }])).status).toBe(400);
    }
    expect((await add(await service.create(), at('memory://there'))).status).toBe(400);
    expect((await add(path, at('memory://there-too'), { ...plain, 'x-project': 'stranger' })).status).toBe(404);
    expect((await add(path, at('memory://there-too'), { 'x-roles': 'reader' })).status).toBe(403);
  });

  it('is not the data of another image, whatever its name is wrapped in', async () => {
    const other = await service.upload('secret');
    const [url] = await urlsOf(other);
    const path = await service.create(raw);
    expect((await add(path, at(url!), plain)).status).toBe(403);
    expect((await add(path, at(url!.replace('-', '%2d')), plain)).status).toBe(403);
    expect((await add(path, at('memory://there'), plain)).status).toBe(200);
  });

  it('counts towards the quota', async () => {
    const path = await service.create(raw);
    for (let n = 0; n < 10; n += 1)
      expect((await add(path, at('memory://there', { metadata: { n: `${n}` } }))).status).toBe(200);
    expect((await add(path, at('memory://there-too'))).status).toBe(413);
  });
});

describe('locations replaced by PATCH', () => {
  const replace = (path: string, value: unknown): Promise<Answer> =>
    patch(path, [{ op: 'replace', path: '/locations', value }]);

  it('are the first ones, or have other metadata', async () => {
    const path = await service.create(raw);
    expect((await replace(path, [at('memory://there'), at('memory://there-too')])).status).toBe(200);
    const renamed = [at('memory://there-too'), at('memory://there', { metadata: { store: 'memory', note: 'x' } })];
    expect((await replace(path, renamed)).status).toBe(200);
    expect((await service.show(path))['locations']).toEqual([
      { url: 'memory://there', metadata: { store: 'memory', note: 'x' } },
      { url: 'memory://there-too', metadata: {} },
    ]);
    expect((await replace(path, [at('memory://there')])).status).toBe(400);
    expect((await replace(path, [])).status).toBe(403);
  });
});

describe('a location removed by PATCH', () => {
  const remove = (path: string, position: string, headers = {}): Promise<Answer> =>
    patch(path, [{ op: 'remove', path: `/locations/${position}` }], headers);

  async function withTwo(): Promise<string> {
    const path = await service.create(raw);
    await add(path, at('memory://there'));
    await add(path, at('memory://there-too'));
    return path;
  }

  it('goes with its data, unless it is the last', async () => {
    const path = await withTwo();
    expect((await remove(path, '2')).status).toBe(400);
    expect((await remove(path, '0', plain)).status).toBe(403);
    const answer = await remove(path, '0');
    expect(answer.json<{ locations: Location[] }>().locations).toHaveLength(1);
    expect(await urlsOf(path)).toEqual(['memory://there-too']);
    expect(service.driver.images.has('memory://there')).toBe(false);
    expect((await remove(path, '0')).status).toBe(403);
  });

  it('stays when its data is in use', async () => {
    const path = await withTwo();
    service.driver.onDelete = () => {
      throw new ServiceError('DataInUse', 'Somebody has cloned it.');
    };
    expect((await remove(path, '-')).status).toBe(409);
    expect(await urlsOf(path)).toEqual(['memory://there', 'memory://there-too']);
  });

  it('whose removal nobody finishes is erased by whoever takes the work over', async () => {
    const path = await withTwo();
    const id = path.split('/').at(-1)!;
    const admin = { ...unauthenticatedCaller('req'), projectId: 'owner' };
    const { lease, locations } = await service.images.beginRemoveLocation(admin, id, 1);
    expect(locations.map(({ url }) => url)).toEqual(['memory://there-too']);
    expect(await urlsOf(path)).toEqual(['memory://there']);
    await service.images.finishDelete(lease!.token);
    await service.images.finishDelete(lease!.token);
    expect((await service.ask('DELETE', path)).status).toBe(204);
  });
});

describe('a copy in one of several stores', () => {
  it('is removed by the name of the store', async () => {
    const path = await service.upload('five!');
    const id = path.split('/').at(-1)!;
    const remove = (store: string, headers = {}): Promise<Answer> =>
      service.ask('DELETE', `/v2/stores/${store}/${id}`, { headers });
    expect((await remove('memory')).status).toBe(403);
    await service.ask('POST', `${path}/import`, { body: { method: { name: 'copy-image' }, stores: ['second'] } });
    await expect.poll(async () => (await service.show(path))['stores'], { timeout: 20_000 }).toBe('memory,second');
    expect((await remove('third')).status).toBe(409);
    expect((await remove('memory', plain)).status).toBe(403);
    expect((await remove('memory')).status).toBe(204);
    expect((await service.show(path))['stores']).toBe('second');
    expect((await remove('memory')).status).toBe(404);
    expect((await service.ask('GET', `${path}/file`)).text).toBe('five!');
  });
});

describe('a copy of data without checksums', () => {
  it('is not made when the data has another size than the image', async () => {
    const path = await service.create(raw);
    expect((await add(path, at('memory://there'))).status).toBe(200);
    service.driver.images.set('memory://there', Buffer.from('there and more'));
    await service.ask('POST', `${path}/import`, { body: { method: { name: 'copy-image' }, stores: ['second'] } });
    const newest = async () =>
      (await service.ask('GET', `${path}/tasks`)).json<{ tasks: { status: string; message: string }[] }>().tasks[0];
    await expect.poll(newest, { timeout: 20_000 }).toMatchObject({
      status: 'failure',
      message: expect.stringContaining('damaged') as string,
    });
    expect((await service.show(path))['stores']).toBe('memory');
  });
});

describe('POST …/locations', () => {
  const asService = { 'x-roles': 'admin,service,member,reader' };
  const post = (path: string, body: unknown, headers: Record<string, string> = asService): Promise<Answer> =>
    service.ask('POST', `${path}/locations`, { headers, body: JSON.stringify(body) });

  interface Outcome {
    readonly type: string;
    readonly status: string;
    readonly message: string;
  }
  async function outcome(path: string): Promise<Outcome> {
    const newest = async (): Promise<Outcome | undefined> =>
      (await service.ask('GET', `${path}/tasks`)).json<{ tasks: Outcome[] }>().tasks[0];
    await expect.poll(newest, { timeout: 20_000 }).toSatisfy((task: Outcome) => /success|failure/.test(task.status));
    return (await newest())!;
  }

  it('makes the image active, and its digests follow', async () => {
    const path = await service.create(raw);
    const answer = await post(path, { url: 'memory://there' });
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect(await outcome(path)).toMatchObject({ type: 'location_import', status: 'success' });
    const shown = await service.show(path);
    expect(shown).toMatchObject({ status: 'active', size: 5, os_hash_algo: 'sha512', os_hash_value: sha512 });
    expect(Object.keys(shown).filter((name) => name.startsWith('os_glance'))).toEqual([]);
    expect((await service.ask('GET', `${path}/locations`)).json()).toEqual([
      { url: 'memory://there', metadata: { store: 'memory' } },
    ]);
  });

  it('checks what the data is said to be before the image is active', async () => {
    const path = await service.create(raw);
    const sha256 = createHash('sha256').update('there').digest('hex');
    const said = { os_hash_algo: 'sha256', os_hash_value: sha256 };
    expect((await post(path, { url: 'memory://there', validation_data: said })).status).toBe(202);
    expect((await outcome(path)).status).toBe('success');
    expect(await service.show(path)).toMatchObject({ status: 'active', ...said });
  });

  it('leaves nothing behind of data that is not what it was said to be, and may be repeated', async () => {
    const path = await service.create(raw);
    const said = { os_hash_algo: 'sha256', os_hash_value: 'a'.repeat(64) };
    await post(path, { url: 'memory://there', validation_data: said });
    expect(await outcome(path)).toMatchObject({
      status: 'failure',
      message: expect.stringContaining('sha256') as string,
    });
    expect(await service.show(path)).toMatchObject({
      status: 'queued',
      size: null,
      os_hash_value: null,
      locations: [],
    });
    expect(service.driver.images.has('memory://there')).toBe(true);
    await post(path, { url: 'memory://nothing' });
    await expect.poll(async () => (await service.show(path))['status'], { timeout: 20_000 }).toBe('queued');
    await expect.poll(async () => (await post(path, { url: 'memory://there' })).status, { timeout: 20_000 }).toBe(202);
    expect((await outcome(path)).status).toBe('success');
  });

  it('keeps an active image whose digests cannot be computed', async () => {
    service.driver.onRead = () => {
      throw Object.assign(new Error('no'), { code: 'EIO' });
    };
    const path = await service.create(raw);
    await post(path, { url: 'memory://there' });
    expect((await outcome(path)).status).toBe('failure');
    expect(await service.show(path)).toMatchObject({ status: 'active', os_hash_value: null, size: 5 });
  });

  it.each([
    ['no URL', {}, 400],
    ['a scheme of no store', { url: 'ftp://there' }, 400],
    ['a file', { url: 'file:///etc/passwd' }, 400],
    ['half of what it is said to be', { url: 'memory://there', validation_data: { os_hash_algo: 'md5' } }, 400],
    [
      'a digest of another size',
      { url: 'memory://there', validation_data: { os_hash_algo: 'md5', os_hash_value: 'ab' } },
      400,
    ],
  ])('refuses %s', async (_what, body, status) => {
    expect((await post(await service.create(raw), body)).status).toBe(status);
  });

  it('is for queued images, with formats, of services', async () => {
    expect((await post(await service.upload('x'), { url: 'memory://there' })).status).toBe(409);
    expect((await post(await service.create(), { url: 'memory://there' })).status).toBe(400);
    const path = await service.create(raw);
    expect((await post(path, { url: 'memory://there' }, plain)).status).toBe(403);
    expect((await post(path, { url: 'memory://there' }, { 'x-roles': 'reader' })).status).toBe(403);
    expect((await service.ask('GET', `${path}/locations`, { headers: plain })).status).toBe(403);
    const service403 = { 'x-roles': 'service', 'x-project': 'services' };
    expect((await service.ask('GET', `${path}/locations`, { headers: service403 })).status).toBe(404);
  });
});

describe('the locations of a deactivated image', () => {
  it('are shown to administrators only', async () => {
    const path = await service.upload('x');
    await service.ask('POST', `${path}/actions/deactivate`);
    expect((await service.show(path))['locations']).toHaveLength(1);
    const shown = (await service.ask('GET', path, { headers: plain })).json();
    expect(shown['locations']).toEqual([]);
    expect(shown).not.toHaveProperty('direct_url');
    const page = (await service.ask('GET', '/v2/images', { headers: plain })).json<{
      images: Record<string, unknown>[];
    }>();
    expect(page.images.find(({ status }) => status === 'deactivated')).toMatchObject({ locations: [] });
  });
});
