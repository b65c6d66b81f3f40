import { ServiceError } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import { chunked, collect, content, never } from '../testing/content.js';
import { resumedBytes } from './resumed-bytes.js';

const bytes = content(5_000_000);

/** Breaks after `steps` bytes, one after the other, then no more. */
function breaking(...steps: number[]) {
  const offsets: number[] = [];
  async function* part(offset: number, length: number, error?: Error): Bytes {
    yield* chunked(bytes.subarray(offset, offset + length));
    if (error) throw error;
  }
  const open = async (offset: number): Promise<Bytes> => {
    const step = steps[offsets.push(offset) - 1];
    return step === undefined ? part(offset, Infinity) : part(offset, step, new Error('It broke.'));
  };
  return { offsets, open };
}

const resume = (open: (offset: number) => Promise<Bytes>, more = {}): Bytes =>
  resumedBytes({ start: 0, end: bytes.length, retries: 2, pause: 1, signal: never(), open, ...more });

describe('bytes that break off', () => {
  it('go on with the one that is missing', async () => {
    const { offsets, open } = breaking(1000, 2000);
    expect((await collect(resume(open, { start: 7, end: 4_000_000 }))).equals(bytes.subarray(7, 4_000_000))).toBe(true);
    expect(offsets).toEqual([7, 1007, 3007]);
  });

  it('fail after so many breaks in a row, and progress in between starts a new row', async () => {
    const reading = collect(resume(breaking(0, 0, 0).open));
    await expect(reading).rejects.toMatchObject({
      code: 'StoreUnavailable',
      message: expect.stringContaining('It broke.') as string,
    });
    const { open } = breaking(0, 1_100_000, 0, 1_100_000, 0, 1_100_000, 0);
    expect((await collect(resume(open))).equals(bytes)).toBe(true);
  });

  it('that just end are broken, too', async () => {
    const open = async (offset: number): Promise<Bytes> => chunked(bytes.subarray(offset, offset + 2_000_000));
    expect((await collect(resume(open))).equals(bytes)).toBe(true);
  });

  it('are not asked for again when the server has them no more', async () => {
    const gone = new ServiceError('DataNotFound', 'The store has no such data.');
    let asked = 0;
    const open = (): Promise<Bytes> => {
      asked++;
      return Promise.reject(gone);
    };
    await expect(collect(resume(open))).rejects.toBe(gone);
    expect(asked).toBe(1);
  });

  it('stop waiting for the next try when nobody wants them any more', async () => {
    const stop = new AbortController();
    const open = (): Promise<Bytes> => {
      setImmediate(() => stop.abort());
      return Promise.reject(new Error('It broke.'));
    };
    const reading = collect(resume(open, { pause: 60_000, signal: stop.signal }));
    await expect(reading).rejects.toMatchObject({ code: 'Cancelled' });
  });
});
