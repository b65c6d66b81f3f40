import { ServiceError } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import type { Bytes, Tap } from './bytes.js';
import type { StoreDriver } from './driver.js';
import { Store } from './store.js';
import { chunked, collect, content, never, stalling } from './testing/content.js';
import { MemoryDriver } from './testing/memory-driver.js';

const bytes = content(200_000);
const request = { id: 'one', maxSize: 1e9 };

/** A memory driver with some methods replaced. */
function driverWith(methods: Partial<StoreDriver>): StoreDriver {
  return Object.assign(new MemoryDriver(), methods);
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: failed, open '/secret/path'`), { code });
}

async function* failing(error: unknown): Bytes {
  yield* chunked(bytes);
  throw error;
}

describe('a write', () => {
  it('answers with the location and the size, announced or not', async () => {
    const store = new Store(new MemoryDriver());
    const announced = await store.write({ ...request, data: chunked(bytes), size: bytes.length, signal: never() });
    expect(announced).toEqual({ url: 'memory:one', size: bytes.length });
    const unknown = await store.write({ ...request, id: 'two', data: chunked(bytes), signal: never() });
    expect(unknown).toEqual({ url: 'memory:two', size: bytes.length });
  });

  it('sends the data through the taps in their order, and counts what comes out', async () => {
    const tap = (mark: string): Tap<void> => ({
      async *through(data) {
        yield* data;
        yield Buffer.from(mark);
      },
      result: () => undefined,
    });
    const store = new Store(new MemoryDriver());
    const data = chunked(Buffer.from('x'));
    const written = await store.write({ ...request, data, taps: [tap('a'), tap('b')], size: 1, signal: never() });
    expect(written.size).toBe(3);
    const read = await store.read(written.url, { signal: never() });
    expect(String(await collect(read.data))).toBe('xab');
  });

  it('is refused without pulling when too much is announced', async () => {
    const driver = new MemoryDriver();
    const source = failing(new Error('This must not be pulled.'));
    const write = new Store(driver).write({ id: 'one', data: source, size: 11, maxSize: 10, signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'LimitExceeded' });
  });

  it('takes exactly what is allowed', async () => {
    const store = new Store(new MemoryDriver());
    const write = store.write({ id: 'one', data: chunked(bytes), maxSize: bytes.length, signal: never() });
    expect((await write).size).toBe(bytes.length);
  });

  for (const [code, expected] of [
    ['ENOSPC', 'StorageFull'],
    ['EDQUOT', 'StorageFull'],
    ['EACCES', 'StorageDenied'],
    ['EROFS', 'StorageDenied'],
    ['EIO', 'StoreUnavailable'],
    ['ETIMEDOUT', 'StoreUnavailable'],
    ['ERR_INVALID_ARG_TYPE', 'Internal'],
  ] as const) {
    it(`that the driver ends with ${code} fails with ${expected}, and says no path`, async () => {
      const cause = systemError(code);
      const store = new Store(driverWith({ write: () => Promise.reject(cause) }));
      const write = store.write({ ...request, data: chunked(bytes), signal: never() });
      await expect(write).rejects.toMatchObject({ code: expected, cause });
      await expect(write).rejects.not.toThrow(/secret/);
    });
  }

  it('passes on why the source failed, however the driver puts it', async () => {
    const broken = new ServiceError('Cancelled', 'The client went away.');
    const driver = driverWith({
      write: async (_id, data) => {
        await collect(data).catch(() => undefined);
        throw systemError('EPIPE');
      },
    });
    const write = new Store(driver).write({ ...request, data: failing(broken), signal: never() });
    await expect(write).rejects.toBe(broken);
  });

  it('passes on why a tap failed', async () => {
    const unsafe = new ServiceError('UnsafeImage', 'The image refers to other files.');
    const tap: Tap<void> = { through: () => failing(unsafe), result: () => undefined };
    const store = new Store(new MemoryDriver());
    const write = store.write({ ...request, data: chunked(bytes), taps: [tap], signal: never() });
    await expect(write).rejects.toBe(unsafe);
  });

  it('does not believe a driver that left data unread', async () => {
    const driver = driverWith({});
    const whole = MemoryDriver.prototype.write.bind(driver);
    driver.write = async (id, data, options) => {
      for await (const _ of data) break;
      return whole(id, chunked(bytes.subarray(0, 10)), options);
    };
    const store = new Store(driver);
    const write = store.write({ ...request, data: chunked(bytes), signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'Internal' });
    await expect(store.size('memory:one', never())).rejects.toMatchObject({ code: 'DataNotFound' });
  });

  it('releases a source that is silent when the driver fails', async () => {
    const released = Promise.withResolvers<void>();
    const data: Bytes = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: async () => {
          released.resolve();
          return { done: true, value: undefined };
        },
      }),
    };
    const driver = driverWith({
      write: async (_id, stream) => {
        void stream[Symbol.asyncIterator]()
          .next()
          .catch(() => undefined);
        throw systemError('ENOSPC');
      },
    });
    const write = new Store(driver).write({ ...request, data, signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'StorageFull' });
    await released.promise;
  });

  it('is refused by a store that only reads', async () => {
    const store = new Store(new MemoryDriver({ write: false }));
    const write = store.write({ ...request, data: chunked(bytes), signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'StoreDisabled' });
  });
});

describe('a write whose signal fires', () => {
  it('fails with the error that the signal carries', async () => {
    const gone = new ServiceError('Gone', 'The image was deleted.');
    const stop = new AbortController();
    const source = stalling(bytes);
    const write = new Store(new MemoryDriver()).write({ ...request, data: source.data, signal: stop.signal });
    await source.reached;
    stop.abort(gone);
    await expect(write).rejects.toBe(gone);
  });

  it('waits for the driver to tidy up', async () => {
    const stop = new AbortController();
    const undoing = Promise.withResolvers<void>();
    const undone = Promise.withResolvers<void>();
    const driver = driverWith({
      write: async (_id, data) => {
        try {
          return String(await collect(data));
        } finally {
          undoing.resolve();
          await undone.promise;
        }
      },
    });
    const source = stalling(bytes);
    const write = new Store(driver).write({ ...request, data: source.data, signal: stop.signal });
    let over = false;
    const ended = write.catch((error: unknown) => {
      over = true;
      return error;
    });
    await source.reached;
    stop.abort();
    await undoing.promise;
    expect(over).toBe(false);
    undone.resolve();
    const error = await ended;
    expect(error).toMatchObject({ code: 'Cancelled', details: {} });
    expect((error as ServiceError).details).not.toHaveProperty('leftovers');
  });

  it('is not held by a driver that is stuck, and says that something may be left', async () => {
    const stop = new AbortController();
    const started = Promise.withResolvers<void>();
    const driver = driverWith({
      write: () => {
        started.resolve();
        return new Promise(() => undefined);
      },
    });
    const store = new Store(driver, { patience: 1 });
    const write = store.write({ ...request, data: chunked(bytes), signal: stop.signal });
    await started.promise;
    stop.abort();
    await expect(write).rejects.toMatchObject({ code: 'Cancelled', details: { leftovers: true } });
  });
});

describe('a read', () => {
  const written = async (driver: StoreDriver): Promise<Store> => {
    const store = new Store(driver);
    await store.write({ ...request, data: chunked(bytes), signal: never() });
    return store;
  };

  it('skips to its range in a store that cannot seek', async () => {
    const driver = new MemoryDriver({ seek: false });
    const offsets: number[] = [];
    const whole = driver.read.bind(driver);
    driver.read = (url, options) => {
      offsets.push(options.offset);
      return whole(url, options);
    };
    const store = await written(driver);
    const { data, size } = await store.read('memory:one', { offset: 70_000, length: 80_000, signal: never() });
    expect(size).toBe(bytes.length);
    expect((await collect(data)).equals(bytes.subarray(70_000, 150_000))).toBe(true);
    expect(offsets).toEqual([0]);
  });

  it('past the end is not satisfiable, and an empty image can be read from its start', async () => {
    const store = await written(new MemoryDriver());
    const past = store.read('memory:one', { offset: bytes.length, signal: never() });
    await expect(past).rejects.toMatchObject({ code: 'RangeNotSatisfiable', details: { size: bytes.length } });
    const { url } = await store.write({ ...request, id: 'empty', data: chunked(content(0)), signal: never() });
    expect(await collect((await store.read(url, { signal: never() })).data)).toHaveLength(0);
  });

  for (const [what, difference] of [
    ['cuts what a driver sends beyond the size', -5],
    ['fails when a driver ends before the size', 5],
  ] as const) {
    it(what, async () => {
      const driver = driverWith({
        read: async () => ({ size: bytes.length + difference, data: chunked(bytes) }),
      });
      const { data } = await new Store(driver).read('memory:one', { signal: never() });
      if (difference < 0) expect(await collect(data)).toHaveLength(bytes.length + difference);
      else await expect(collect(data)).rejects.toMatchObject({ code: 'StoreUnavailable' });
    });
  }

  it('wraps what goes wrong on the way', async () => {
    const driver = driverWith({ read: async () => ({ size: 1e6, data: failing(systemError('EIO')) }) });
    const { data } = await new Store(driver).read('memory:one', { signal: never() });
    await expect(collect(data)).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  it('ends at once when its signal fires while the driver is silent', async () => {
    const stop = new AbortController();
    const source = stalling(bytes);
    const driver = driverWith({ read: async () => ({ size: bytes.length, data: source.data }) });
    const { data } = await new Store(driver).read('memory:one', { signal: stop.signal });
    const reading = collect(data);
    await source.reached;
    stop.abort();
    await expect(reading).rejects.toMatchObject({ code: 'Cancelled' });
  });

  it('that does not open ends when its signal fires', async () => {
    const stop = new AbortController();
    const store = new Store(driverWith({ read: () => new Promise(() => undefined) }));
    const reading = store.read('memory:one', { signal: stop.signal });
    stop.abort();
    await expect(reading).rejects.toMatchObject({ code: 'Cancelled' });
  });
});
