import { describe, expect, it } from 'vitest';
import { type Branch, tee } from './tee.js';

interface Watched {
  pulled: number;
  released: boolean;
}

function numbers(count: number): { data: AsyncIterable<Uint8Array>; watched: Watched } {
  const watched: Watched = { pulled: 0, released: false };
  async function* data(): AsyncGenerator<Uint8Array> {
    try {
      for (let n = 0; n < count; n++) {
        watched.pulled++;
        yield Uint8Array.of(n);
      }
    } finally {
      watched.released = true;
    }
  }
  return { data: data(), watched };
}

async function all(branch: Branch): Promise<number[]> {
  const seen: number[] = [];
  for await (const chunk of branch) seen.push(...chunk);
  return seen;
}

describe('a tee', () => {
  it('gives every branch everything', async () => {
    const { data } = numbers(5);
    const branches = tee(data, 3);
    expect(await Promise.all(branches.map(all))).toEqual(Array.from({ length: 3 }, () => [0, 1, 2, 3, 4]));
  });

  it('pulls at the pace of the slowest', async () => {
    const { data, watched } = numbers(5);
    const [fast, slow] = tee(data, 2).map((branch) => branch[Symbol.asyncIterator]());
    const first = fast!.next();
    expect(watched.pulled).toBe(0);
    await Promise.all([first, slow!.next()]);
    const second = fast!.next();
    expect(watched.pulled).toBe(1);
    await Promise.all([second, slow!.next()]);
    expect(watched.pulled).toBe(2);
  });

  it('goes on without a branch that is left, even while the others wait for it', async () => {
    const { data } = numbers(4);
    const [one, other] = tee(data, 2);
    const rest = all(one!);
    other!.leave();
    expect(await rest).toEqual([0, 1, 2, 3]);
    expect(await all(other!)).toEqual([]);
  });

  it('goes on when a branch is left after the chunk is on its way', async () => {
    const { data } = numbers(4);
    const [one, other] = tee(data, 2);
    const reader = other![Symbol.asyncIterator]();
    const rest = all(one!);
    void reader.next();
    other!.leave();
    expect(await rest).toEqual([0, 1, 2, 3]);
  });

  it('tells every branch of a failure', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      throw new Error('torn');
    }
    const results = await Promise.allSettled(tee(broken(), 2).map(all));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('releases the data when every branch is left', async () => {
    const { data, watched } = numbers(4);
    const branches = tee(data, 2);
    await Promise.all(branches.map((branch) => branch[Symbol.asyncIterator]().next()));
    for (const branch of branches) branch.leave();
    await expect.poll(() => watched.released).toBe(true);
  });
});
