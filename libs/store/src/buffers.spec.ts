import { describe, expect, it } from 'vitest';
import { Buffers } from './buffers.js';

describe('the buffers of streams', () => {
  it('are as many as a stream may have, when others have none', () => {
    const lease = new Buffers(1000).lease({ own: 1, most: 3, size: 100 });
    expect([1, 2, 3, 4].map(() => lease.tryTake() !== undefined)).toEqual([true, true, true, false]);
  });

  it('are its own few when others have all the rest, until they give some back', () => {
    const buffers = new Buffers(300);
    const [greedy, modest] = [
      buffers.lease({ own: 1, most: 9, size: 100 }),
      buffers.lease({ own: 1, most: 9, size: 100 }),
    ];
    const taken = [greedy.tryTake(), greedy.tryTake(), greedy.tryTake()];
    expect(greedy.tryTake()).toBeUndefined();
    expect(modest.tryTake()).toBeDefined();
    expect(modest.tryTake()).toBeUndefined();
    greedy.give(taken[0]!);
    expect(modest.tryTake()).toBeUndefined();
    greedy.give(taken[1]!);
    expect(modest.tryTake()).toBe(taken[1]);
    expect(modest.tryTake()).toBeUndefined();
  });

  it('come when one is given back', async () => {
    const lease = new Buffers(0).lease({ own: 1, most: 9, size: 100 });
    const first = await lease.take();
    const waiting = lease.take();
    lease.give(first);
    expect(await waiting).toBe(first);
  });

  it('are not used again when somebody may still write to them', async () => {
    const lease = new Buffers(0).lease({ own: 1, most: 9, size: 100 });
    const first = await lease.take();
    const waiting = lease.take();
    lease.give(first, { reuse: false });
    expect(await waiting).not.toBe(first);
  });

  it('can all be had again after every stream has ended', () => {
    const buffers = new Buffers(500);
    for (let turn = 0; turn < 5; turn++) {
      const lease = buffers.lease({ own: 2, most: 5, size: 100 });
      const taken = Array.from({ length: 5 }, () => lease.tryTake()!);
      expect(taken.every(Boolean)).toBe(true);
      for (const buffer of taken) lease.give(buffer, { reuse: turn % 2 === 0 });
      lease.end();
    }
  });

  it('are gone at once when no stream is left, but for one that may still be used', () => {
    const buffers = new Buffers(500);
    const leases = [1, 2].map(() => buffers.lease({ own: 1, most: 2, size: 100 }));
    const [kept, used, other] = [leases[0]!.tryTake()!, leases[0]!.tryTake()!, leases[1]!.tryTake()!];
    leases[0]!.give(kept);
    leases[0]!.give(used, { reuse: false });
    leases[0]!.end();
    expect([kept, used, other].map(({ length }) => length)).toEqual([100, 100, 100]);
    leases[1]!.give(other);
    leases[1]!.end();
    expect([kept, used, other].map(({ length }) => length)).toEqual([0, 100, 0]);
  });

  it('have the size that their stream wants', () => {
    const buffers = new Buffers(1000);
    const [small, large] = [buffers.lease({ own: 1, most: 1, size: 10 }), buffers.lease({ own: 1, most: 1, size: 20 })];
    small.give(small.tryTake()!);
    expect(large.tryTake()).toHaveLength(20);
  });
});
