import { ServiceError } from '@glance/domain';
import { Store, Stores } from '@glance/store';
import { describe, expect, it } from 'vitest';
import { MemoryDriver } from '../testing/memory-driver.js';
import { chunked } from '../testing/uploading.js';
import { pour, type Pouring } from './pour.js';
import { storedSource } from './stored-source.js';

const drivers = { a: new MemoryDriver(), b: new MemoryDriver(), c: new MemoryDriver() };
const stores = new Stores(
  Object.entries(drivers).map(([id, driver]) => ({ id, store: new Store(driver), schemes: ['memory'] })),
  { defaultId: 'a', named: true },
);

const pouring = (id: string, more: Partial<Pouring> = {}): Pouring => ({
  id,
  data: chunked('abc', 'def'),
  size: 6,
  maxSize: 100,
  signal: AbortSignal.timeout(60_000),
  allOrNothing: true,
  ...more,
});

const held = (id: string): (string | undefined)[] =>
  Object.values(drivers).map((driver) => driver.images.get(`memory://${id}`)?.toString());

describe('pouring', () => {
  it('writes the same data into every store', async () => {
    const poured = await pour(stores, ['a', 'b', 'c'], pouring('1'));
    expect(poured.map(({ store, size, error }) => [store, size, error])).toEqual([
      ['a', 6, undefined],
      ['b', 6, undefined],
      ['c', 6, undefined],
    ]);
    expect(held('1')).toEqual(['abcdef', 'abcdef', 'abcdef']);
  });

  it('goes on with the others when a store fails, if some are enough', async () => {
    drivers.b.images.set('memory://2', Buffer.from('there'));
    const poured = await pour(stores, ['a', 'b', 'c'], pouring('2', { allOrNothing: false }));
    expect(poured.map(({ error }) => error?.code)).toEqual([undefined, 'DataExists', undefined]);
    expect(held('2')).toEqual(['abcdef', 'there', 'abcdef']);
  });

  it('stops all of them when one fails, if all are needed', async () => {
    drivers.b.images.set('memory://3', Buffer.from('there'));
    const poured = await pour(stores, ['a', 'b', 'c'], pouring('3'));
    expect(poured.map(({ error }) => error?.code)).toEqual(['DataExists', 'DataExists', 'DataExists']);
    expect(held('3')).toEqual([undefined, 'there', undefined]);
  });

  it('says why the first one failed of those that were stopped while they were busy', async () => {
    const broken = Promise.withResolvers<void>();
    drivers.a.onChunk = () => broken.promise;
    drivers.b.onChunk = () => {
      throw new ServiceError('StorageFull', 'No room.');
    };
    const poured = await pour(stores, ['a', 'b'], pouring('6'), async ({ store }) => {
      if (store === 'b') broken.resolve();
    });
    drivers.a.onChunk = drivers.b.onChunk = () => undefined;
    expect(poured.map(({ error }) => error?.message)).toEqual(['No room.', 'No room.']);
  });

  it('copies what another store has', async () => {
    const location = { url: 'memory://1', metadata: { store: 'a' } };
    const { size, data } = await storedSource(stores, [location]).open(AbortSignal.timeout(60_000));
    await pour(stores, ['b', 'c'], pouring('5', { size, data }));
    expect(held('5')).toEqual([undefined, 'abcdef', 'abcdef']);
  });

  it('says of every store why the data broke off', async () => {
    async function* torn() {
      yield Buffer.from('abc');
      throw new ServiceError('StoreUnavailable', 'The server hung up.');
    }
    const poured = await pour(stores, ['a', 'b'], pouring('4', { data: torn(), allOrNothing: false }));
    expect(poured.map(({ error }) => error?.message)).toEqual(['The server hung up.', 'The server hung up.']);
    expect(held('4')).toEqual([undefined, undefined, undefined]);
  });
});
