import { describe, expect, it } from 'vitest';
import { nonZeroRuns } from './non-zero-runs.js';

const kib = 1024;

function withBytesAt(length: number, ...offsets: number[]): Buffer {
  const buffer = Buffer.alloc(length);
  for (const offset of offsets) buffer[offset] = 1;
  return buffer;
}

describe('the parts of a buffer that are not zeros', () => {
  it('are none where all are zeros, or where nothing is', () => {
    expect(nonZeroRuns(Buffer.alloc(4096 * kib), 4096 * kib)).toEqual([]);
    expect(nonZeroRuns(Buffer.alloc(1), 0)).toEqual([]);
  });

  it('are all of it where there are none', () => {
    expect(nonZeroRuns(Buffer.alloc(1000 * kib + 1, 7), 1000 * kib + 1)).toEqual([{ start: 0, end: 1000 * kib + 1 }]);
  });

  it('begin and end at 64 KiB, or at the end', () => {
    const buffer = withBytesAt(1000 * kib, 70 * kib, 999 * kib);
    expect(nonZeroRuns(buffer, 1000 * kib)).toEqual([
      { start: 64 * kib, end: 128 * kib },
      { start: 960 * kib, end: 1000 * kib },
    ]);
  });

  it('take in short runs of zeros between them', () => {
    const buffer = withBytesAt(1024 * kib, 0, 256 * kib, 576 * kib);
    expect(nonZeroRuns(buffer, 1024 * kib)).toEqual([
      { start: 0, end: 320 * kib },
      { start: 576 * kib, end: 640 * kib },
    ]);
  });

  it('do not depend on what is behind the length', () => {
    expect(nonZeroRuns(withBytesAt(128 * kib, 100 * kib), 64 * kib)).toEqual([]);
  });
});
