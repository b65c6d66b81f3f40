import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import { Store, type StoreWrite } from '../store.js';
import { chunked, collect, content, never, stalling } from './content.js';
import type { Current } from './describe-driver.js';

const bytes = content(1_000_000);

async function* thenFails(data: Bytes): Bytes {
  yield* data;
  throw new Error('The source broke.');
}

async function* endless(): Bytes {
  for (;;) yield* chunked(bytes);
}

/** Whatever breaks a write, nothing is left and the next one of the same id succeeds. */
export function breakingCases(current: Current): void {
  async function leavesNothing(write: (id: string) => Promise<unknown>): Promise<void> {
    const { driver, list } = current();
    const id = randomUUID();
    const before = await list?.();
    await write(id);
    expect(await list?.()).toEqual(before);
    const url = await driver.write(id, chunked(bytes), { size: bytes.length, signal: never() });
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    expect((await collect(data)).equals(bytes)).toBe(true);
  }

  const through = (id: string, request: Partial<StoreWrite>): Promise<unknown> =>
    new Store(current().driver).write({ id, data: chunked(bytes), maxSize: Infinity, signal: never(), ...request });

  for (const [when, part] of [
    ['at its start', 0],
    ['in the middle', 500_000],
    ['after the last byte', bytes.length],
  ] as const) {
    for (const size of [bytes.length, undefined]) {
      it(`leaves nothing when the source of ${size ?? 'unknown'} bytes breaks ${when}`, () =>
        leavesNothing(async (id) => {
          const data = thenFails(chunked(bytes.subarray(0, part)));
          await expect(current().driver.write(id, data, { size, signal: never() })).rejects.toBeInstanceOf(Error);
        }));
    }
  }

  it('leaves nothing when the signal fired before', () =>
    leavesNothing(async (id) => {
      const write = current().driver.write(id, chunked(bytes), { size: undefined, signal: AbortSignal.abort() });
      await expect(write).rejects.toBeInstanceOf(Error);
    }));

  it('leaves nothing when the signal fires while data arrives', () =>
    leavesNothing(async (id) => {
      const stop = new AbortController();
      async function* data(): Bytes {
        let chunks = 0;
        for await (const chunk of endless()) {
          if (++chunks === 50) stop.abort();
          // A driver that does not look gives up here, late but at all.
          if (chunks > 5000) throw new Error('The driver did not stop.');
          yield chunk;
        }
      }
      const write = current().driver.write(id, data(), { size: undefined, signal: stop.signal });
      await expect(write).rejects.not.toThrow('The driver did not stop.');
    }));

  it('leaves nothing when the signal fires with the last byte', () =>
    leavesNothing(async (id) => {
      const stop = new AbortController();
      async function* data(): Bytes {
        yield* chunked(bytes);
        stop.abort();
      }
      const write = current().driver.write(id, data(), { size: bytes.length, signal: stop.signal });
      await expect(write).rejects.toBeInstanceOf(Error);
    }));

  it('keeps what it stored when the signal fires afterwards', async () => {
    const { driver } = current();
    const stop = new AbortController();
    const url = await driver.write(randomUUID(), chunked(bytes), { size: undefined, signal: stop.signal });
    stop.abort();
    expect(await driver.size(url, never())).toBe(bytes.length);
  });

  it('leaves nothing when the caller gives up while the source is silent', () =>
    leavesNothing(async (id) => {
      const stop = new AbortController();
      const source = stalling(bytes);
      const write = through(id, { data: source.data, signal: stop.signal });
      await source.reached;
      stop.abort();
      await expect(write).rejects.toMatchObject({ code: 'Cancelled' });
      source.resume();
    }));

  for (const difference of [1, -1]) {
    it(`leaves nothing when ${difference > 0 ? 'a byte too few arrives' : 'a byte too much arrives'}`, () =>
      leavesNothing(async (id) => {
        await expect(through(id, { size: bytes.length + difference })).rejects.toMatchObject({ code: 'SizeMismatch' });
      }));
  }

  it('leaves nothing when too much arrives without announcement', () =>
    leavesNothing(async (id) => {
      const write = through(id, { data: endless(), maxSize: 10_000_000 });
      await expect(write).rejects.toMatchObject({ code: 'LimitExceeded' });
    }));

  it('breaks one write without touching the others', async () => {
    const { driver } = current();
    const writes = Array.from({ length: 6 }, (_, index) => {
      const data = index % 2 === 0 ? chunked(bytes) : thenFails(chunked(bytes));
      return driver.write(randomUUID(), data, { size: undefined, signal: never() });
    });
    const outcomes = await Promise.allSettled(writes);
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, false, true, false]);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') expect(await driver.size(outcome.value, never())).toBe(bytes.length);
    }
  });
}
