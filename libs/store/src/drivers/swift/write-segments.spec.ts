import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../bytes.js';
import { chunked, collect, content } from '../../testing/content.js';
import { bytesOfSegment, writeSegments } from './write-segments.js';

const mib = 1024 * 1024;

async function segmentsOf(bytes: Buffer, { size, segmentSize = 1000 }: { size?: number; segmentSize?: number } = {}) {
  const stored = new Map<string, Buffer>();
  const lengths: (number | undefined)[] = [];
  const send = async (name: string, data: Bytes, length: number | undefined): Promise<string> => {
    lengths.push(length);
    stored.set(name, await collect(data));
    return 'tag';
  };
  const nameOf = String;
  await writeSegments(chunked(bytes, 300), { segmentSize, size, bufferDirectory: undefined, nameOf, send });
  return { all: Buffer.concat([...stored.values()]), sizes: [...stored.values()].map(({ length }) => length), lengths };
}

describe('the segments of an image', () => {
  it('hold it all, in order', async () => {
    const { all, sizes, lengths } = await segmentsOf(content(2500));
    expect(all.equals(content(2500))).toBe(true);
    expect(sizes).toEqual([1000, 1000, 500]);
    expect(lengths).toEqual([undefined, undefined, undefined]);
  });

  it('have their lengths told when the size is known', async () => {
    expect((await segmentsOf(content(2500), { size: 2500 })).lengths).toEqual([1000, 1000, 500]);
    expect((await segmentsOf(content(2000), { size: 2000 })).sizes).toEqual([1000, 1000]);
  });

  it('are none of an image that is empty', async () => {
    expect((await segmentsOf(content(0))).sizes).toEqual([]);
  });

  it('are at most a thousand, of at most 5 GiB, up to 1 TiB and beyond', () => {
    const segmentSize = 200 * mib;
    expect(bytesOfSegment(1, { segmentSize, size: 1024 ** 4 }) * 1000).toBeGreaterThanOrEqual(1024 ** 4);
    let bytes = 0;
    for (let number = 1; number <= 1000; number++) bytes += bytesOfSegment(number, { segmentSize, size: undefined });
    expect(bytes).toBeGreaterThan(1024 ** 4);
    expect(bytesOfSegment(1000, { segmentSize: 4000 * mib, size: undefined })).toBeLessThan(5 * 1024 ** 3);
  });
});
