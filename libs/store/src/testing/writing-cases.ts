import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import { chunked, collect, content, never } from './content.js';
import type { Current } from './describe-driver.js';

const mib = 1024 * 1024;

/** Complete writes, of every shape, one and many at a time. */
export function writingCases(current: Current): void {
  async function roundTrip(bytes: Buffer, data: Bytes, size?: number): Promise<void> {
    const { driver } = current();
    const url = await driver.write(randomUUID(), data, { size, signal: never() });
    const read = await driver.read(url, { offset: 0, signal: never() });
    expect(read.size).toBe(bytes.length);
    expect((await collect(read.data)).equals(bytes)).toBe(true);
    expect(await driver.size(url, never())).toBe(bytes.length);
  }

  for (const length of [0, 1, 65535, 65536, 65537, mib - 1, mib, mib + 1, 5 * mib + 17]) {
    it(`reads back ${length} bytes of announced size`, () =>
      roundTrip(content(length), chunked(content(length)), length));

    it(`reads back ${length} bytes of unknown size`, () => roundTrip(content(length), chunked(content(length))));
  }

  it('takes 100 tiny chunks', () => roundTrip(content(700), chunked(content(700), 7)));

  it('takes one chunk of 20 MiB', () => roundTrip(content(20 * mib), chunked(content(20 * mib), 20 * mib)));

  it('takes empty chunks', async () => {
    async function* data(): Bytes {
      yield Buffer.alloc(0);
      yield* chunked(content(1000), 400);
      yield Buffer.alloc(0);
    }
    await roundTrip(content(1000), data());
  });

  it('takes chunks in memory that threads share', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(mib));
    shared.set(content(mib));
    async function* data(): Bytes {
      yield shared;
    }
    await roundTrip(content(mib), data(), mib);
  });

  it('keeps zeros at the start, in the middle and at the end', async () => {
    const bytes = Buffer.concat([
      Buffer.alloc(3 * mib),
      content(100),
      Buffer.alloc(9 * mib),
      content(5),
      Buffer.alloc(mib),
    ]);
    await roundTrip(bytes, chunked(bytes, 100_000));
  });

  it('never overwrites', async () => {
    const { driver, list } = current();
    const id = randomUUID();
    const url = await driver.write(id, chunked(content(100_000, 1)), { size: undefined, signal: never() });
    const before = await list?.();
    const again = driver.write(id, chunked(content(200_000, 2)), { size: undefined, signal: never() });
    await expect(again).rejects.toMatchObject({ code: 'DataExists' });
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    expect((await collect(data)).equals(content(100_000, 1))).toBe(true);
    expect(await list?.()).toEqual(before);
  });

  it('lets exactly one of several writes of the same id win, whose data is intact', async () => {
    const { driver } = current();
    const id = randomUUID();
    const writes = [1, 2, 3, 4, 5].map((seed) =>
      driver.write(id, chunked(content(300_000, seed)), { size: undefined, signal: never() }),
    );
    const outcomes = await Promise.allSettled(writes);
    const winners = outcomes.flatMap((outcome, index) =>
      outcome.status === 'fulfilled' ? [{ url: outcome.value, seed: index + 1 }] : [],
    );
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'DataExists' });
    }
    const { data } = await driver.read(winners[0]!.url, { offset: 0, signal: never() });
    expect((await collect(data)).equals(content(300_000, winners[0]!.seed))).toBe(true);
  });

  it('keeps 20 images apart that arrive at the same time', async () => {
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
    await Promise.all(
      seeds.map((seed) => roundTrip(content(300_000 + seed, seed), chunked(content(300_000 + seed, seed)))),
    );
  });
}
