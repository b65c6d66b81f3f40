import { describe, expect, it } from 'vitest';
import { type ReadLoan, ReadBuffers } from './read-buffers.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const sizes = ({ buffers }: ReadLoan): number[] => buffers.map(({ length }) => length);

describe('buffers of those who read files', () => {
  it('are large for a few, and small for the rest until large ones are back', () => {
    const buffers = new ReadBuffers(4 * MiB);
    const loans = Array.from({ length: 200 }, () => buffers.lend(2, 512 * KiB, 256 * MiB));
    expect(sizes(loans[3]!)).toEqual([512 * KiB, 512 * KiB]);
    expect(sizes(loans[4]!)).toEqual([128 * KiB, 128 * KiB]);
    loans[0]!.giveBack(false);
    expect(sizes(buffers.lend(2, 512 * KiB, 256 * MiB))).toEqual([512 * KiB, 512 * KiB]);
    expect(sizes(buffers.lend(2, 512 * KiB, 256 * MiB))).toEqual([128 * KiB, 128 * KiB]);
  });

  it('are no larger than what there is to read', () => {
    expect(sizes(new ReadBuffers().lend(2, 512 * KiB, 1000))).toEqual([1000, 1000]);
    expect(sizes(new ReadBuffers().lend(1, 64 * KiB, MiB))).toEqual([64 * KiB]);
  });

  it('are used again once nobody uses them, and kept up to a limit', () => {
    const buffers = new ReadBuffers(MiB);
    const first = buffers.lend(2, 512 * KiB, MiB);
    first.giveBack(true);
    const second = buffers.lend(2, 512 * KiB, MiB);
    expect(new Set(second.buffers)).toEqual(new Set(first.buffers));
    second.giveBack(false);
    expect(buffers.lend(2, 512 * KiB, MiB).buffers.some((buffer) => first.buffers.includes(buffer))).toBe(false);

    const small = Array.from({ length: 10 }, () => buffers.lend(2, 128 * KiB, MiB));
    for (const loan of small) loan.giveBack(true);
    const again = Array.from({ length: 10 }, () => buffers.lend(2, 128 * KiB, MiB)).flatMap((loan) => loan.buffers);
    const kept = again.filter((buffer) => small.some((loan) => loan.buffers.includes(buffer)));
    expect(kept).toHaveLength(8);
  });
});
