import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { Stores } from './stores.js';
import { chunked, collect, content, never, stalling } from './testing/content.js';
import { MemoryDriver } from './testing/memory-driver.js';

const bytes = content(1000);

function twoStores(silence?: number): { fast: MemoryDriver; slow: MemoryDriver; stores: Stores } {
  const [fast, slow] = [new MemoryDriver(), new MemoryDriver()];
  const configured = [
    { id: 'slow', store: new Store(slow), schemes: ['memory'] },
    { id: 'fast', store: new Store(fast), schemes: ['memory'] },
  ];
  return {
    fast,
    slow,
    stores: new Stores(configured, { defaultId: 'fast', named: true, ...(silence && { silence }) }),
  };
}

const image = (id: string) => ({ id, data: chunked(bytes), maxSize: 1e6, signal: never() });
const at = (store: string, id = 'one') => ({ url: `memory:${id}`, metadata: { store } });

describe('several stores', () => {
  it('take an image where they are told to, else in the default one', async () => {
    const { fast, slow, stores } = twoStores();
    expect(await stores.write(image('one'))).toEqual({ ...at('fast'), size: 1000 });
    expect(await stores.write({ ...image('two'), store: 'slow' })).toEqual({ ...at('slow', 'two'), size: 1000 });
    expect([fast.list(), slow.list()]).toEqual([['one'], ['two']]);
  });

  it('are known by their ids', async () => {
    const { stores } = twoStores();
    expect(stores.ids).toEqual(['slow', 'fast']);
    await expect(stores.write({ ...image('one'), store: 'none' })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('are found by the name in the metadata, or by the scheme if that is unknown', async () => {
    const { stores } = twoStores();
    await stores.write({ ...image('one'), store: 'slow' });
    const { location, data } = await stores.openRead([at('slow')], { signal: never() });
    expect(location).toEqual(at('slow'));
    expect((await collect(data)).equals(bytes)).toBe(true);
    await stores.write(image('two'));
    for (const metadata of [{}, { store: 'former' }]) {
      expect((await stores.openRead([{ url: 'memory:two', metadata }], { signal: never() })).size).toBe(1000);
    }
  });

  it('try one location after the other', async () => {
    const { stores } = twoStores();
    await stores.write(image('one'));
    const locations = [at('slow'), { url: 'gone://user:secret@host/one', metadata: {} }, at('fast')];
    expect((await stores.openRead(locations, { signal: never() })).location).toEqual(at('fast'));
  });

  it('fail before any data when no location has the image', async () => {
    const { stores } = twoStores();
    const missing = { code: 'DataNotFound' };
    await expect(stores.openRead([], { signal: never() })).rejects.toMatchObject(missing);
    await expect(stores.openRead([at('slow'), at('fast')], { signal: never() })).rejects.toMatchObject(missing);
  });

  it('take another copy when a store is silent, and let the last one be as slow as it is', async () => {
    const { fast, slow, stores } = twoStores(20);
    for (const store of ['fast', 'slow']) await stores.write({ ...image('one'), store });
    const read = slow.read.bind(slow);
    fast.read = () => new Promise(() => undefined);
    slow.read = (url, options) => delay(60).then(() => read(url, options));
    const { location, data } = await stores.openRead([at('fast'), at('slow')], { signal: never() });
    expect(location).toEqual(at('slow'));
    expect((await collect(data)).equals(bytes)).toBe(true);
  });

  it('go on with another copy when a store falls silent, but not when the reader is slow', async () => {
    const { fast, slow, stores } = twoStores(20);
    for (const store of ['fast', 'slow']) await stores.write({ ...image('one'), store });
    fast.read = async () => ({ size: 1000, data: stalling(bytes).data });
    const offsets: number[] = [];
    const read = slow.read.bind(slow);
    slow.read = (url, options) => {
      offsets.push(options.offset);
      return read(url, options);
    };
    const { data } = await stores.openRead([at('fast'), at('slow')], { signal: never() });
    const iterator = data[Symbol.asyncIterator]();
    const first = await iterator.next();
    await delay(60);
    expect(offsets).toEqual([]);
    const rest = await collect({ [Symbol.asyncIterator]: () => iterator });
    expect(Buffer.concat([first.value as Uint8Array, rest]).equals(bytes)).toBe(true);
    expect(offsets).toEqual([500]);
  });

  it('say what keeps a copy from being read that may be there', async () => {
    const { fast, stores } = twoStores();
    fast.read = () => Promise.reject(new ServiceError('StoreUnavailable', 'The store does not answer.'));
    const reading = stores.openRead([at('fast'), at('slow')], { signal: never() });
    await expect(reading).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  it('do not look further when the range is wrong', async () => {
    const { stores } = twoStores();
    await stores.write(image('one'));
    const reading = stores.openRead([at('fast'), at('slow')], { offset: 5000, signal: never() });
    await expect(reading).rejects.toMatchObject({ code: 'RangeNotSatisfiable' });
  });

  it('tell the scheme but not the credentials of a location that nobody knows', async () => {
    const { stores } = twoStores();
    const reading = stores.openRead([{ url: 'gone://user:secret@host/one', metadata: {} }], { signal: never() });
    await expect(reading).rejects.toMatchObject({ code: 'BadLocation' });
    await expect(reading).rejects.toThrow('"gone"');
    await expect(reading).rejects.not.toThrow(/secret/);
  });

  it('erase every copy, also when some are gone already', async () => {
    const { fast, slow, stores } = twoStores();
    await stores.write(image('one'));
    await stores.write({ ...image('one'), store: 'slow' });
    await stores.erase([at('fast', 'missing'), at('fast'), at('slow')], never());
    await stores.erase([at('fast'), at('slow')], never());
    expect([fast.list(), slow.list()]).toEqual([[], []]);
  });

  it('pass on that data is in use', async () => {
    const { fast, stores } = twoStores();
    await stores.write(image('one'));
    fast.delete = () => Promise.reject(new ServiceError('DataInUse', 'The image has clones.'));
    await expect(stores.erase([at('fast')], never())).rejects.toMatchObject({ code: 'DataInUse' });
  });

  it('leave alone what is in a store that never deletes', async () => {
    const driver = new MemoryDriver({ delete: false });
    const stores = new Stores([{ id: 'web', store: new Store(driver), schemes: ['memory'] }], { defaultId: 'web' });
    const { url, metadata } = await stores.write(image('one'));
    expect(metadata).toEqual({});
    await stores.erase([{ url, metadata }], never());
    expect(driver.list()).toEqual(['one']);
  });

  it('discard in one store', async () => {
    const { fast, slow, stores } = twoStores();
    await stores.write(image('one'));
    await stores.write({ ...image('one'), store: 'slow' });
    await stores.discard('slow', 'one', never());
    expect([fast.list(), slow.list()]).toEqual([['one'], []]);
  });
});
