import { afterEach, describe, expect, it } from 'vitest';
import { type ServiceChanges, startService, type TestService } from '../testing/service.js';

const MIB = 1024 * 1024;
let service: TestService;
afterEach(() => service.close());

async function start(flavor = 'cachemanagement', changes: ServiceChanges = {}): Promise<void> {
  service = await startService({ cache: { maxSize: 8 * MIB }, settings: { flavor }, ...changes });
}

interface State {
  readonly cached_images: readonly { readonly image_id: string; readonly hits: number; readonly size: number }[];
  readonly queued_images: readonly string[];
}
const state = async (): Promise<State> => (await service.ask('GET', '/v2/cache')).json<State>();
const cachedIds = async (): Promise<string[]> => (await state()).cached_images.map(({ image_id }) => image_id).sort();

/** Until so many images are cached, and none waits. */
async function cached(count: number): Promise<void> {
  for (;;) {
    const { cached_images, queued_images } = await state();
    if (cached_images.length === count && queued_images.length === 0) return;
  }
}

const body = Buffer.alloc(MIB + 5, 'data');
const idOf = (path: string): string => path.split('/').at(-1)!;
const downloaded = async (path: string, headers = {}) => service.ask('GET', `${path}/file`, { headers });

describe('downloads with a cache', () => {
  it('need their store once', async () => {
    await start('caching');
    const path = await service.upload(body);
    expect((await downloaded(path)).bytes.equals(body)).toBe(true);
    await cached(1);
    service.driver.images.clear();
    const again = await downloaded(path);
    expect(again.bytes.equals(body)).toBe(true);
    expect(again.headers['content-length']).toBe(String(body.length));
    const part = await downloaded(path, { range: 'bytes=4-11' });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([
      206,
      'datadata',
      `bytes 4-11/${body.length}`,
    ]);
  });

  it('are not served from it without a flavor that has it', async () => {
    await start('keystone', { identity: undefined as never });
    const path = await service.upload(body);
    await downloaded(path);
    service.driver.images.clear();
    expect((await downloaded(path)).status).toBe(204);
    expect(await cachedIds()).toEqual([]);
  });

  it('are refused as without one', async () => {
    await start();
    const path = await service.create({ disk_format: 'raw', container_format: 'bare', visibility: 'public' });
    const octets = { 'content-type': 'application/octet-stream' };
    await service.ask('PUT', `${path}/file`, { headers: octets, body });
    const stranger = { 'x-project': 'other' };
    expect((await downloaded(path, stranger)).status).toBe(200);
    await cached(1);
    await service.ask('PATCH', path, {
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: [{ op: 'replace', path: '/visibility', value: 'private' }],
    });
    expect((await downloaded(path, stranger)).status).toBe(404);
    expect((await downloaded(path)).status).toBe(200);
  });

  it.each([
    ['deactivated', 'POST', '/actions/deactivate', 403],
    ['deleted', 'DELETE', '', 404],
  ] as const)('find nothing of what is %s', async (_, method, action, status) => {
    await start();
    const path = await service.create({ disk_format: 'raw', container_format: 'bare', visibility: 'public' });
    const octets = { 'content-type': 'application/octet-stream' };
    await service.ask('PUT', `${path}/file`, { headers: octets, body });
    await downloaded(path);
    await cached(1);
    expect((await service.ask(method, path + action)).status).toBe(204);
    expect(await cachedIds()).toEqual([]);
    expect((await downloaded(path, { 'x-project': 'other' })).status).toBe(status);
  });

  it('do not bring it in when only the headers are asked for', async () => {
    await start();
    const path = await service.upload(body);
    expect((await service.ask('HEAD', `${path}/file`)).status).toBe(200);
    expect(await cachedIds()).toEqual([]);
  });
});

describe('the cache API', () => {
  it('brings images in, shows them, and removes them', async () => {
    await start('none');
    const [one, other] = [await service.upload(body), await service.upload('small')];
    for (const path of [one, other]) {
      expect((await service.ask('PUT', `/v2/cache/${idOf(path)}`)).status).toBe(202);
    }
    await cached(2);
    const { cached_images } = await state();
    expect(cached_images.find(({ image_id }) => image_id === idOf(one))).toMatchObject({ size: body.length, hits: 0 });
    expect((await service.ask('DELETE', `/v2/cache/${idOf(one)}`)).status).toBe(204);
    expect(await cachedIds()).toEqual([idOf(other)]);
    const clear = (target: string) =>
      service.ask('DELETE', '/v2/cache', { headers: { 'x-image-cache-clear-target': target } });
    expect((await clear('queue')).status).toBe(204);
    expect(await cachedIds()).toEqual([idOf(other)]);
    expect((await clear('everything')).status).toBe(400);
    expect((await clear('cache')).status).toBe(204);
    expect(await cachedIds()).toEqual([]);
  });

  it('tells which hosts have an image', async () => {
    await start();
    const path = await service.upload(body);
    await service.ask('PUT', `/v2/cache/${idOf(path)}`);
    await cached(1);
    await service.ask('POST', '/v2/cache/clean');
    const nodes = await service.ask('GET', `/v2/cache/nodes/${idOf(path)}`);
    expect(nodes.json()).toEqual(['http://here']);
  });

  it('does not where hosts do not know of each other', async () => {
    await start('caching', { settings: { flavor: 'caching', imageCacheDriver: 'sqlite' } });
    const path = await service.upload(body);
    expect((await service.ask('GET', `/v2/cache/nodes/${idOf(path)}`)).status).toBe(409);
  });

  it('refuses images that have no data, or do not exist', async () => {
    await start();
    const queued = await service.create();
    expect((await service.ask('PUT', `/v2/cache/${idOf(queued)}`)).status).toBe(400);
    const nobody = '6d7a3a44-6f4f-4f22-9f6b-0d5c3a1f0001';
    for (const method of ['PUT', 'DELETE']) {
      expect((await service.ask(method, `/v2/cache/${nobody}`)).status).toBe(404);
    }
  });

  it('prunes to nothing what fits', async () => {
    await start();
    expect((await service.ask('POST', '/v2/cache/prune')).json()).toEqual({
      total_files_pruned: 0,
      total_bytes_pruned: 0,
    });
  });

  it('has an older form, with a flavor for it', async () => {
    await start('cachemanagement');
    const path = await service.upload(body);
    expect((await service.ask('PUT', `/v2/queued_images/${idOf(path)}`)).json()).toBeNull();
    await cached(1);
    const list = (await service.ask('GET', '/v2/cached_images')).json<State>();
    expect(list.cached_images).toHaveLength(1);
    expect((await service.ask('DELETE', '/v2/cached_images')).json()).toEqual({ num_deleted: 1 });
    expect((await service.ask('GET', '/v2/queued_images')).json()).toEqual({ queued_images: [] });
    await service.close();
    await start('caching');
    expect((await service.ask('GET', '/v2/cached_images')).status).toBe(404);
  });

  it('is not there without a cache', async () => {
    service = await startService();
    for (const [method, path] of [
      ['GET', ''],
      ['PUT', '/x'],
      ['DELETE', ''],
      ['POST', '/prune'],
    ] as const) {
      expect((await service.ask(method, `/v2/cache${path}`)).status).toBe(404);
    }
  });
});
