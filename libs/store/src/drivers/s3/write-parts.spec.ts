import { describe, expect, it } from 'vitest';
import { bytesOfPart } from './write-parts.js';

const mib = 1024 * 1024;
const partSize = 10 * mib;

describe('the parts of an upload', () => {
  it('are as large as configured, and no larger than the image', () => {
    expect(bytesOfPart(1, { partSize, size: 500 * mib })).toBe(partSize);
    expect(bytesOfPart(1, { partSize, size: 5000 })).toBe(5000);
    expect(bytesOfPart(1, { partSize, size: 0 })).toBe(1);
  });

  it('are all alike, and at most 10,000, when the size is known', () => {
    const size = 1024 ** 4;
    const bytes = bytesOfPart(1, { partSize, size });
    expect(bytesOfPart(9000, { partSize, size })).toBe(bytes);
    expect(Math.ceil(size / bytes)).toBeLessThanOrEqual(10_000);
    expect(bytes % mib).toBe(0);
  });

  it('grow from 5 MiB when the size is unknown, so that 1 TiB has room in 10,000', () => {
    let bytes = 0;
    for (let part = 1; part <= 10_000; part++) bytes += bytesOfPart(part, { partSize, size: undefined });
    expect(bytes).toBeGreaterThan(1024 ** 4);
    expect(bytesOfPart(1000, { partSize, size: undefined })).toBe(5 * mib);
    expect(bytesOfPart(1001, { partSize, size: undefined })).toBe(9 * mib);
  });
});
