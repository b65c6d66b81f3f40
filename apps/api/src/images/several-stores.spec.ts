import { ServiceError } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../testing/http-client.js';
import { startService, type TestService } from '../testing/service.js';

const bytes = Buffer.alloc(300_000, 'image');
const patchType = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
let service: TestService;

async function start(weights: Readonly<Record<string, number>>): Promise<void> {
  service = await startService({
    stores: ['second', 'third'],
    weights,
    settings: { showImageDirectUrl: true, showMultipleLocations: true },
  });
}

/** An image in `memory` and the stores that are named, in this order; all under one URL. */
async function spread(...stores: string[]): Promise<string> {
  const path = await service.upload(bytes);
  const url = `memory://${path.split('/').at(-1)!}`;
  for (const store of stores) {
    service.drivers[store]!.images.set(url, Buffer.from(bytes));
    const body = [{ op: 'add', path: '/locations/-', value: { url, metadata: { store } } }];
    expect((await service.ask('PATCH', path, { headers: patchType, body })).status).toBe(200);
  }
  return path;
}

/** Notes which stores are read. */
function watch(): string[] {
  const read: string[] = [];
  for (const [id, driver] of Object.entries(service.drivers)) {
    driver.onRead = (offset) => {
      if (offset === 0) read.push(id);
    };
  }
  return read;
}

const download = (path: string, query = ''): Promise<Answer> => service.ask('GET', `${path}/file${query}`);

afterEach(() => service.close());

describe('copies in several stores', () => {
  beforeEach(() => start({ second: 5, third: 10 }));

  it('are shown and read by the weight of their stores', async () => {
    const path = await spread('second', 'third');
    const image = await service.show(path);
    expect(image['stores']).toBe('third,second,memory');
    expect((image['locations'] as { metadata: object }[])[0]!.metadata).toEqual({ store: 'third' });
    const read = watch();
    expect((await download(path)).bytes.equals(bytes)).toBe(true);
    expect(read).toEqual(['third']);
    expect((await service.ask('GET', `${path}/locations`)).json<{ metadata: object }[]>()[0]!.metadata).toEqual({
      store: 'third',
    });
  });

  it('are removed by the position at which they are shown', async () => {
    const path = await spread('second', 'third');
    const body = [{ op: 'remove', path: '/locations/0' }];
    expect((await service.ask('PATCH', path, { headers: patchType, body })).status).toBe(200);
    expect((await service.show(path))['stores']).toBe('second,memory');
    expect(service.drivers['third']!.images.size).toBe(0);
  });

  it('are read from the stores that a client prefers', async () => {
    const path = await spread('second', 'third');
    const read = watch();
    await download(path, '?prefer=second');
    await download(path, '?prefer=memory,second');
    service.driver.images.clear();
    await download(path, '?prefer=memory,second');
    expect(read).toEqual(['second', 'memory', 'second']);
    expect((await download(path, '?prefer=second,nowhere')).status).toBe(400);
    const anonymous = await service.ask('GET', `${path}/file?prefer=second`, { headers: { 'x-project': 'other' } });
    expect(anonymous.status).toBe(404);
  });

  it('stand in for one that cannot be opened, which is then asked last for a while', async () => {
    const path = await spread('second', 'third');
    let asked = 0;
    service.drivers['third']!.read = async () => {
      asked += 1;
      throw new ServiceError('StoreUnavailable', 'away');
    };
    for (let count = 0; count < 3; count++) expect((await download(path)).bytes.equals(bytes)).toBe(true);
    expect(asked).toBe(1);
  });

  it('go on where another breaks off, in a part of the image, too', async () => {
    const path = await spread('second', 'third');
    service.drivers['third']!.onRead = (offset) => {
      if (offset > 100_000) throw new ServiceError('StoreUnavailable', 'gone');
    };
    expect((await download(path)).bytes.equals(bytes)).toBe(true);
    const headers = { range: 'bytes=50000-250000' };
    const part = await service.ask('GET', `${path}/file`, { headers });
    expect(part.status).toBe(206);
    expect(part.bytes.equals(bytes.subarray(50_000, 250_001))).toBe(true);
  });
});

describe('an image of the days of a single store', () => {
  beforeEach(() => start({}));

  async function nameless(): Promise<string> {
    const path = await service.upload(bytes);
    const { locations } = (await service.show(path)) as { locations: { url: string }[] };
    const id = path.split('/').at(-1)!;
    const value = [{ url: locations[0]!.url, metadata: {} }];
    const body = [{ op: 'replace', path: '/locations', value }];
    expect((await service.ask('PATCH', path, { headers: patchType, body })).status).toBe(200);
    expect((await service.images.locations(await admin(), id))[0]!.metadata).toEqual({});
    // It lies in a store that is not the default one.
    service.drivers['second']!.images.set(locations[0]!.url, service.driver.images.get(locations[0]!.url)!);
    service.driver.images.clear();
    service.drivers['second']!.canonical = (url) => url.replace('key@', '');
    return path;
  }
  const admin = async () => (await import('@glance/domain')).unauthenticatedCaller('req');
  const metadata = async (path: string) =>
    (await service.images.locations(await admin(), path.split('/').at(-1)!))[0]?.metadata;

  it('is found, and its location gets the name of its store', async () => {
    const path = await nameless();
    const before = (await service.show(path))['updated_at'];
    expect((await service.show(path))['stores']).toBe('second');
    expect((await download(path)).bytes.equals(bytes)).toBe(true);
    await expect.poll(() => metadata(path)).toEqual({ store: 'second' });
    expect((await service.show(path))['updated_at']).toBe(before);
  });

  it('is copied elsewhere, and its old copy removed', async () => {
    const path = await nameless();
    const body = { method: { name: 'copy-image' }, stores: ['third'] };
    expect((await service.ask('POST', `${path}/import`, { body })).status).toBe(202);
    await expect.poll(async () => (await service.show(path))['stores']).toBe('second,third');
    const id = path.split('/').at(-1)!;
    expect((await service.ask('DELETE', `/v2/stores/second/${id}`)).status).toBe(204);
    expect((await service.show(path))['stores']).toBe('third');
    expect(service.drivers['second']!.images.size).toBe(0);
  });
});

describe('info/stores/detail', () => {
  beforeEach(() => start({ third: 10 }));

  it('says what stores are made of', async () => {
    const { stores } = (await service.ask('GET', '/v2/info/stores/detail')).json<{ stores: object[] }>();
    const details = { type: 'memory', properties: { chunk_size: 65536 } };
    expect(stores).toEqual([
      { id: 'memory', default: 'true', weight: 0, ...details },
      { id: 'second', weight: 0, ...details },
      { id: 'third', weight: 10, ...details },
    ]);
  });
});
