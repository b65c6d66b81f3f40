import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ServiceError, silentLogger } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import { chunked, collect, content, never } from '../testing/content.js';
import type { CacheableImage } from './cache-entry.js';
import { type CacheRead, type Fetch, ImageCache } from './image-cache.js';

const MIB = 1024 * 1024;
let directory: string;
let caches: ImageCache[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'glance-cache-'));
  caches = [];
});
afterEach(async () => {
  for (const cache of caches) await cache.close();
  await rm(directory, { recursive: true });
});

async function openCache(maxSize = 64 * MIB, stallTime = 60_000): Promise<ImageCache> {
  const cache = new ImageCache({ directory, maxSize, stallTime, logger: silentLogger });
  caches.push(cache);
  await cache.open();
  return cache;
}

/** An image in a store that counts how often it is read, and breaks or waits where a test says so. */
function stored(bytes: Buffer, id: string = crypto.randomUUID()) {
  const image: CacheableImage = {
    id,
    status: 'active',
    size: bytes.length,
    checksum: createHash('md5').update(bytes).digest('hex'),
    osHashAlgo: 'sha512',
    osHashValue: createHash('sha512').update(bytes).digest('hex'),
  };
  const store = {
    reads: [] as number[],
    down: false,
    /** Called before each chunk of 64 KiB. */
    onChunk: (_position: number): void | Promise<void> => undefined,
  };
  const fetch: Fetch = async ({ offset, length = bytes.length - offset }, signal) => {
    if (store.down) throw new ServiceError('StoreUnavailable', 'The store is down.');
    store.reads.push(offset);
    async function* data(): Bytes {
      let position = offset;
      for await (const chunk of chunked(bytes.subarray(offset, offset + length))) {
        await store.onChunk(position);
        signal.throwIfAborted();
        position += chunk.length;
        yield chunk;
      }
    }
    return { size: bytes.length, data: data() };
  };
  const read = (changes: Partial<CacheRead> = {}): CacheRead => ({
    image,
    fill: true,
    signal: never(),
    fetch,
    ...changes,
  });
  return { bytes, image, store, fetch, read };
}

const incomplete = (): Promise<string[]> => readdir(join(directory, 'incomplete'));

/** Until so much of what grows is there: the store is some MiB ahead. */
async function written(bytes: number): Promise<void> {
  for (;;) {
    const [name] = await incomplete();
    if (name !== undefined && (await stat(join(directory, 'incomplete', name))).size >= bytes) return;
    await setImmediate();
  }
}

/** Until what goes on behind the readers is over. */
async function settled(cache: ImageCache, count: number): Promise<void> {
  while ((await incomplete()).length > 0 || (await cache.directory.entries()).length !== count) await setImmediate();
}

describe('a cache of images', () => {
  it('serves the first reader while it fills, and the next ones without the store', async () => {
    const cache = await openCache();
    const { bytes, read, store } = stored(content(3 * MIB + 17));
    expect((await collect(await cache.read(read()))).equals(bytes)).toBe(true);
    await settled(cache, 1);
    store.down = true;
    expect((await collect(await cache.read(read()))).equals(bytes)).toBe(true);
    expect(store.reads).toEqual([0]);
  });

  it('reads the store once for all who want an image at the same time', async () => {
    const cache = await openCache();
    const { bytes, read, store } = stored(content(2 * MIB));
    const bodies = await Promise.all(Array.from({ length: 50 }, async () => collect(await cache.read(read()))));
    expect(bodies.every((body) => body.equals(bytes))).toBe(true);
    expect(store.reads).toEqual([0]);
  });

  it('is filled at its own pace, however slow a reader is', async () => {
    const cache = await openCache();
    const { bytes, read, store } = stored(content(4 * MIB));
    const slow = (await cache.read(read()))[Symbol.asyncIterator]();
    const first = Buffer.from((await slow.next()).value as Uint8Array);
    await settled(cache, 1);
    const rest = await collect({ [Symbol.asyncIterator]: () => slow });
    expect(Buffer.concat([first, rest]).equals(bytes)).toBe(true);
    expect(store.reads).toEqual([0]);
  });

  it('serves ranges, of what is whole and of the part that is there; what lies further on comes from the store', async () => {
    const cache = await openCache();
    const { bytes, read, store } = stored(content(4 * MIB));
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    store.onChunk = async (position) => {
      if (store.reads.length > 1 || position < 3 * MIB) return;
      reached.resolve();
      await gate.promise;
    };
    const all = collect(await cache.read(read()));
    await reached.promise;
    await written(MIB);
    const range = async (offset: number, length: number): Promise<void> => {
      const got = await collect(await cache.read(read({ offset, length, fill: false })));
      expect(got.equals(bytes.subarray(offset, offset + length))).toBe(true);
    };
    await range(100, 1000);
    expect(store.reads).toEqual([0]);
    await range(bytes.length - 1000, 1000);
    expect(store.reads).toEqual([0, bytes.length - 1000]);
    gate.resolve();
    await all;
    await settled(cache, 1);
    await range(bytes.length - 1000, 900);
    expect(store.reads).toHaveLength(2);
  });

  it('is not filled by a range', async () => {
    const cache = await openCache();
    const { bytes, read, store } = stored(content(MIB));
    expect(await collect(await cache.read(read({ offset: 5, length: 10, fill: false })))).toEqual(
      bytes.subarray(5, 15),
    );
    expect([await incomplete(), store.reads]).toEqual([[], [5]]);
  });

  it('does not keep data that is not what the record says', async () => {
    const cache = await openCache();
    const { bytes, image, read, store } = stored(content(MIB));
    const wrong = { ...image, osHashValue: image.osHashValue!.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
    expect((await collect(await cache.read(read({ image: wrong })))).equals(bytes)).toBe(true);
    await settled(cache, 0);
    expect(store.reads).toEqual([0]);
  });

  it.each([
    ['is not active', { status: 'deactivated' }],
    ['has no digests', { checksum: null, osHashValue: null }],
    ['is empty', { size: 0 }],
  ] as const)('leaves alone what %s', async (_, changes) => {
    const cache = await openCache();
    const { image, read, store } = stored(content(1000));
    await collect(await cache.read(read({ image: { ...image, ...changes } })));
    expect([await incomplete(), await cache.directory.entries(), store.reads]).toEqual([[], [], [0]]);
  });

  it('has nothing of what an image was before it was imported anew', async () => {
    const cache = await openCache();
    const before = stored(content(MIB, 1));
    const after = stored(content(MIB, 2), before.image.id);
    await collect(await cache.read(before.read()));
    await settled(cache, 1);
    expect((await collect(await cache.read(after.read()))).equals(after.bytes)).toBe(true);
    expect(after.store.reads).toEqual([0]);
  });

  it('goes on from the store where a fill breaks off', async () => {
    const cache = await openCache();
    const { bytes, read, store } = stored(content(3 * MIB));
    store.onChunk = (position) => {
      if (store.reads.length === 1 && position >= 2 * MIB) throw new ServiceError('StoreUnavailable', 'It broke.');
    };
    expect((await collect(await cache.read(read()))).equals(bytes)).toBe(true);
    expect(store.reads).toHaveLength(2);
    await settled(cache, 0);
  });

  it('fails as the store does', async () => {
    const cache = await openCache();
    const { read, store } = stored(content(MIB));
    store.down = true;
    await expect(cache.read(read())).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await settled(cache, 0);
  });

  it('lets go of an image at once, and of readers not at all', async () => {
    const cache = await openCache();
    const { bytes, image, read, store } = stored(content(3 * MIB));
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    store.onChunk = async (position) => {
      if (position < 2 * MIB) return;
      reached.resolve();
      await gate.promise;
    };
    const body = collect(await cache.read(read()));
    await reached.promise;
    await cache.remove(image.id);
    expect(await incomplete()).toEqual([]);
    gate.resolve();
    expect((await body).equals(bytes)).toBe(true);
    await settled(cache, 0);
  });

  it('gives up what does not come any more', async () => {
    const cache = await openCache(64 * MIB, 0);
    const { bytes, read, store } = stored(content(3 * MIB));
    store.onChunk = (position) =>
      store.reads.length === 1 && position >= 2 * MIB ? new Promise<void>(() => undefined) : undefined;
    expect((await collect(await cache.read(read()))).equals(bytes)).toBe(true);
    await settled(cache, 0);
  });
});

describe('the size of a cache', () => {
  const names = async (cache: ImageCache): Promise<string[]> =>
    (await cache.directory.entries()).map(({ id }) => id).sort();
  const put = async (cache: ImageCache, { image, fetch }: ReturnType<typeof stored>): Promise<boolean> =>
    cache.prefetch(image, fetch);

  it('is never more than it may be: what was not used for longest goes first', async () => {
    const cache = await openCache(3 * MIB);
    const [a, b, c, d] = [1, 2, 3, 4].map((seed) => stored(content(MIB, seed))) as [
      ReturnType<typeof stored>,
      ReturnType<typeof stored>,
      ReturnType<typeof stored>,
      ReturnType<typeof stored>,
    ];
    for (const image of [a, b, c]) await put(cache, image);
    for (const [index, { id, name }] of (await cache.directory.entries()).entries()) {
      const age = id === a.image.id ? 0 : id === b.image.id ? 200 : 100;
      await utimes(join(directory, name), Date.now() / 1000 - age - index / 100, Date.now() / 1000);
    }
    d.store.onChunk = async () => expect((await cache.directory.entries()).length).toBeLessThanOrEqual(2);
    expect(await put(cache, d)).toBe(true);
    expect(await names(cache)).toEqual([a.image.id, c.image.id, d.image.id].sort());
  });

  it('keeps out what would never fit, and throws nothing out for it', async () => {
    const cache = await openCache(MIB);
    const small = stored(content(MIB / 2));
    const large = stored(content(2 * MIB));
    await put(cache, small);
    expect((await collect(await cache.read(large.read()))).equals(large.bytes)).toBe(true);
    expect(await names(cache)).toEqual([small.image.id]);
  });

  it('counts what is still on its way with its later size', async () => {
    const cache = await openCache(3 * MIB);
    const [first, second] = [stored(content(2 * MIB, 1)), stored(content(2 * MIB, 2))];
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    first.store.onChunk = async () => {
      reached.resolve();
      await gate.promise;
    };
    const filling = put(cache, first);
    await reached.promise;
    expect(await put(cache, second)).toBe(false);
    gate.resolve();
    expect(await filling).toBe(true);
  });

  it('shrinks when it may be less', async () => {
    const cache = await openCache();
    for (const seed of [1, 2, 3]) await put(cache, stored(content(MIB, seed)));
    const smaller = new ImageCache({ directory, maxSize: 2 * MIB, stallTime: 1000, logger: silentLogger });
    expect(await smaller.prune()).toEqual({ files: 1, bytes: MIB });
  });

  it('is nothing once it was cleared', async () => {
    const cache = await openCache();
    for (const seed of [1, 2]) await put(cache, stored(content(MIB, seed)));
    expect([await cache.clear(), await names(cache)]).toEqual([2, []]);
  });
});

describe('processes of one host', () => {
  it('read the store once together', async () => {
    const [one, other] = [await openCache(), await openCache()];
    const { bytes, read, store } = stored(content(3 * MIB));
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    store.onChunk = async (position) => {
      if (position < MIB) return;
      reached.resolve();
      await gate.promise;
    };
    const first = collect(await one.read(read()));
    await reached.promise;
    const second = collect(await other.read(read()));
    const range = await collect(await other.read(read({ offset: 10, length: 1000, fill: false })));
    gate.resolve();
    for (const body of [await first, await second]) expect(body.equals(bytes)).toBe(true);
    expect(range.equals(bytes.subarray(10, 1010))).toBe(true);
    expect(store.reads).toEqual([0]);
    await settled(one, 1);
    expect(await other.prefetch(read().image, () => Promise.reject(new Error('not asked')))).toBe(true);
  });

  it('never serve what a dead one has left, and take over from it', async () => {
    const cache = await openCache();
    const { bytes, image, read, store } = stored(content(2 * MIB));
    const path = cache.directory.growing({ id: image.id, name: nameOf(image), size: bytes.length });
    await writeFile(path, Buffer.alloc(MIB, 0xee));
    await utimes(path, 0, 0);
    expect((await collect(await cache.read(read()))).equals(bytes)).toBe(true);
    await settled(cache, 1);
    expect(store.reads).toEqual([0]);
    expect((await readFile(join(directory, nameOf(image)))).equals(bytes)).toBe(true);
  });

  it('go on from the store when the one that fills dies', async () => {
    const cache = await openCache();
    const { bytes, image, read, store } = stored(content(2 * MIB));
    const path = cache.directory.growing({ id: image.id, name: nameOf(image), size: bytes.length });
    await writeFile(path, bytes.subarray(0, MIB));
    const data = (await cache.read(read()))[Symbol.asyncIterator]();
    const first = Buffer.from((await data.next()).value as Uint8Array);
    await utimes(path, 0, 0);
    const rest = await collect({ [Symbol.asyncIterator]: () => data });
    expect(Buffer.concat([first, rest]).equals(bytes)).toBe(true);
    expect(store.reads).toEqual([MIB]);
  });

  it('tidy what is of no use when they start', async () => {
    const id = crypto.randomUUID();
    for (const part of ['incomplete', 'invalid', 'hits']) await mkdir(join(directory, part));
    for (const name of [`incomplete/${id}`, `invalid/${id}`, id, `hits/${id}.-.${'a'.repeat(32)}`, 'cache.db']) {
      await writeFile(join(directory, name), 'x');
      await utimes(join(directory, name), 0, 0);
    }
    await openCache();
    const left = await readdir(directory, { recursive: true });
    expect(left.sort()).toEqual(['cache.db', 'hits', 'incomplete', 'invalid', 'queue']);
  });

  it('count uses together, and see when the last one was', async () => {
    const [one, other] = [await openCache(), await openCache()];
    const { image, fetch, read } = stored(content(MIB));
    await one.prefetch(image, fetch);
    const [entry] = await one.directory.entries();
    await utimes(join(directory, entry!.name), 0, entry!.lastModified / 1000);
    for (const cache of [one, other, other]) await collect(await cache.read(read()));
    await Promise.all([one.close(), other.close()]);
    const [used] = await one.directory.entries();
    expect(await one.directory.hits(entry!)).toBe(3);
    expect(used!.lastAccessed).toBeGreaterThan(entry!.lastModified - 60_000);
    expect(Math.abs(used!.lastModified - entry!.lastModified)).toBeLessThan(2);
  });
});

describe('the queue of a cache', () => {
  it('is the same for all processes of a host', async () => {
    const [one, other] = [(await openCache()).directory, (await openCache()).directory];
    const id = crypto.randomUUID();
    await one.enqueue(id);
    expect(await other.queue()).toEqual([id]);
    expect([await other.dequeue(id), await one.dequeue(id), await one.queue()]).toEqual([true, false, []]);
  });
});

function nameOf({ id, checksum, osHashValue }: CacheableImage): string {
  return `${id}.${checksum}.${osHashValue!.slice(0, 32)}`;
}
