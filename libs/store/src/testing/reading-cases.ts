import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Store } from '../store.js';
import { chunked, collect, content, never } from './content.js';
import type { Current } from './describe-driver.js';

const size = 2 * 1024 * 1024 + 123;
const image = content(size);

const ranges: readonly (readonly [what: string, offset: number, length: number | undefined])[] = [
  ['the first byte', 0, 1],
  ['the last byte', size - 1, 1],
  ['all by its length', 0, size],
  ['from the second byte on', 1, undefined],
  ['up to the last byte but one', 0, size - 1],
  ['around a border of chunks', 65535, 2],
  ['around 1 MiB', 1024 * 1024 - 1, 3],
  ['a part in the middle', 700_001, 900_000],
  ['more than there is', size - 10, 1000],
  ['nothing', 5, 0],
];

/** Whole and partial reads, and those that nobody finishes. */
export function readingCases(current: Current): void {
  const written = (): Promise<string> =>
    current().driver.write(randomUUID(), chunked(image), { size, signal: never() });

  for (const [what, offset, length] of ranges) {
    it(`${what}, through a Store`, async () => {
      const read = await new Store(current().driver).read(await written(), { offset, length, signal: never() });
      expect(read.size).toBe(size);
      const expected = image.subarray(offset, length === undefined ? undefined : offset + length);
      expect((await collect(read.data)).equals(expected)).toBe(true);
    });

    it(`${what}, if it can seek`, async () => {
      const { driver } = current();
      const url = await written();
      const range = driver.capabilities.seek ? { offset, length } : { offset: 0 };
      const read = await driver.read(url, { ...range, signal: never() });
      expect(read.size).toBe(size);
      const end = range.length === undefined ? undefined : offset + range.length;
      expect((await collect(read.data)).equals(image.subarray(range.offset, end))).toBe(true);
    });
  }

  it('nothing at and past the end', async () => {
    const url = await written();
    for (const offset of [size, size + 1, size * 2]) {
      const { driver } = current();
      if (!driver.capabilities.seek) continue;
      const read = await driver.read(url, { offset, signal: never() });
      expect(read.size).toBe(size);
      expect(await collect(read.data)).toHaveLength(0);
    }
    const beyond = new Store(current().driver).read(url, { offset: size, signal: never() });
    await expect(beyond).rejects.toMatchObject({ code: 'RangeNotSatisfiable', details: { size } });
  });

  describe('fail', () => {
    it('before any data when the image is missing', async () => {
      const { driver } = current();
      const url = await written();
      await driver.delete(url, never());
      const missing = { code: 'DataNotFound' };
      await expect(driver.read(url, { offset: 0, signal: never() })).rejects.toMatchObject(missing);
      await expect(driver.size(url, never())).rejects.toMatchObject(missing);
      await expect(driver.delete(url, never())).rejects.toMatchObject(missing);
    });

    it('for the location of another kind of store', async () => {
      const { driver } = current();
      for (const url of ['', 'rubbish', 'unknown://host/pool/image']) {
        const bad = { code: 'BadLocation' };
        await expect(driver.read(url, { offset: 0, signal: never() })).rejects.toMatchObject(bad);
        await expect(driver.size(url, never())).rejects.toMatchObject(bad);
        await expect(driver.delete(url, never())).rejects.toMatchObject(bad);
      }
    });

    it('once their signal fires', async () => {
      const { driver } = current();
      const stop = new AbortController();
      const { data } = await driver.read(await written(), { offset: 0, signal: stop.signal });
      let received = 0;
      const reading = (async () => {
        for await (const chunk of data) {
          received += chunk.length;
          stop.abort();
        }
      })();
      // A driver whose chunks are large may have nothing left to be stopped at.
      await reading.catch((error: unknown) => expect(error).toBeInstanceOf(Error));
      expect(received).toBeGreaterThan(0);
      const late = new Store(driver).read(await written(), { signal: stop.signal });
      await expect(late.then(({ data: rest }) => collect(rest))).rejects.toMatchObject({ code: 'Cancelled' });
    });
  });

  it('hold nothing until they are pulled, and let go when they are left', async () => {
    const { driver } = current();
    const url = await written();
    await driver.read(url, { offset: 0, signal: never() });
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    for await (const chunk of data) {
      expect(image.subarray(0, chunk.length).equals(chunk)).toBe(true);
      break;
    }
    await driver.delete(url, never());
    await expect(driver.size(url, never())).rejects.toMatchObject({ code: 'DataNotFound' });
  });

  it('go on at their own pace when there are many', async () => {
    const { driver } = current();
    const url = await written();
    const readers = Array.from({ length: 10 }, async (_, index) => {
      const offset = driver.capabilities.seek ? index * 1000 : 0;
      const { data } = await driver.read(url, { offset, signal: never() });
      return (await collect(data)).equals(image.subarray(offset));
    });
    expect(await Promise.all(readers)).toEqual(Array.from({ length: 10 }, () => true));
  });

  it('give the right bytes or fail when the image is deleted meanwhile', async () => {
    const { driver } = current();
    const url = await written();
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of data) {
        if (chunks.length === 0) await driver.delete(url, never()).catch(() => undefined);
        chunks.push(Buffer.from(chunk));
      }
      expect(Buffer.concat(chunks).equals(image)).toBe(true);
    } catch (error) {
      expect(error).toMatchObject({ name: 'ServiceError' });
    }
  });
}
