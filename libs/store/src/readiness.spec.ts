import { ServiceError } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { Stores } from './stores.js';
import { chunked, content, never } from './testing/content.js';
import { MemoryDriver } from './testing/memory-driver.js';

const away = new ServiceError('StoreUnavailable', 'The store does not answer.');
const misconfigured = new ServiceError('StorageDenied', 'The key is wrong.');

/** A driver that opens once `mend` was called; `tries` counts. */
function broken(error: ServiceError) {
  const driver = new MemoryDriver();
  const state = { tries: 0, failing: true };
  driver.open = async () => {
    state.tries++;
    if (state.failing) throw error;
  };
  return { driver, state, mend: () => (state.failing = false) };
}

const write = (store: Store, id = 'one') =>
  store.write({ id, data: chunked(content(1000)), maxSize: 1e6, signal: never() });

describe('a store whose place is away', () => {
  it('fails what is written, and is made ready by the first write after its return', async () => {
    const { driver, mend } = broken(away);
    const store = new Store(driver);
    await expect(store.open()).rejects.toBe(away);
    await expect(write(store)).rejects.toBe(away);
    mend();
    await expect.poll(() => write(store).then(({ size }) => size, String), { timeout: 10_000 }).toBe(1000);
  });

  it('is asked by one of many at a time, and not again for a while', async () => {
    const { driver, state } = broken(away);
    const store = new Store(driver);
    await Promise.allSettled(Array.from({ length: 20 }, (_, index) => write(store, `image-${index}`)));
    expect(state.tries).toBe(1);
  });

  it('is made ready once', async () => {
    const { driver, state, mend } = broken(away);
    mend();
    const store = new Store(driver);
    await store.open();
    await write(store);
    expect(state.tries).toBe(1);
  });
});

describe('a service with several stores', () => {
  async function open(spare: MemoryDriver, main: MemoryDriver): Promise<string[]> {
    const configured = Object.entries({ spare, main }).map(([id, driver]) => ({
      id,
      store: new Store(driver),
      schemes: ['memory'],
    }));
    const told: string[] = [];
    await new Stores(configured, { defaultId: 'main' }).open((id, error) => told.push(`${id}: ${error.code}`));
    return told;
  }

  it('starts when any of them is away, and tells of it', async () => {
    expect(await open(broken(away).driver, broken(away).driver)).toEqual([
      'spare: StoreUnavailable',
      'main: StoreUnavailable',
    ]);
  });

  it('starts when one that is not the default has wrong options', async () => {
    expect(await open(broken(misconfigured).driver, new MemoryDriver())).toEqual(['spare: StorageDenied']);
  });

  it('does not start when the default one has wrong options', async () => {
    await expect(open(new MemoryDriver(), broken(misconfigured).driver)).rejects.toBe(misconfigured);
  });
});
