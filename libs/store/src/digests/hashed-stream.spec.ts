import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import { content } from '../testing/content.js';
import type { RemoteDigest } from './digest-pool.js';
import { HashedStream } from './hashed-stream.js';
import { slabSize } from './slabs.js';

/** Slabs of bytes 1, 2, 3 …, and how many were pulled. */
function counting(): { data: Bytes; pulled: () => number } {
  let pulled = 0;
  async function* data(): Bytes {
    for (;;) yield Buffer.alloc(slabSize, ++pulled);
  }
  return { data: data(), pulled: () => pulled };
}

/** Reads as slowly as the test wants. */
class SlowDigest implements RemoteDigest {
  readonly seen: Buffer[] = [];
  readonly waiting: (() => void)[] = [];
  dropped = false;

  async update(memory: SharedArrayBuffer, length: number): Promise<void> {
    await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.seen.push(Buffer.from(new Uint8Array(memory, 0, length)));
  }

  async end(): Promise<string> {
    return '';
  }

  drop(): void {
    this.dropped = true;
  }
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await setImmediate();
}

describe('a hashed stream', () => {
  it('holds nothing until it is pulled', async () => {
    const { data, pulled } = counting();
    new HashedStream(data, []).chunks();
    await quiet();
    expect(pulled()).toBe(0);
  });

  it('reads ahead of its consumer, but not far', async () => {
    const { data, pulled } = counting();
    const stream = new HashedStream(data, []);
    const chunks = stream.chunks();
    await chunks.next();
    await quiet();
    expect(pulled()).toBeGreaterThan(1);
    expect(pulled()).toBeLessThan(10);
    await chunks.return();
    await stream.close();
  });

  it('waits for the slowest digest, which finds the bytes as they were', async () => {
    const { data, pulled } = counting();
    const digest = new SlowDigest();
    const stream = new HashedStream(data, [digest]);
    const consumed: number[] = [];
    const consuming = (async () => {
      for await (const chunk of stream.chunks()) {
        consumed.push(chunk[0]!);
        if (consumed.length === 20) break;
      }
    })();
    await quiet();
    expect(pulled()).toBeLessThan(10);
    while (consumed.length < 20) {
      digest.waiting.splice(0).forEach((resume) => resume());
      await quiet();
    }
    await consuming;
    digest.waiting.splice(0).forEach((resume) => resume());
    await stream.close();
    expect(consumed).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(digest.seen.slice(0, 20).map((seen) => seen[0])).toEqual(consumed);
    expect(digest.seen.every((seen) => seen.equals(Buffer.alloc(slabSize, seen[0])))).toBe(true);
    expect(digest.dropped).toBe(true);
  });

  it('fails as soon as a digest does', async () => {
    const failure = new Error('The digest broke.');
    const digest: RemoteDigest = { update: () => Promise.reject(failure), end: async () => '', drop: () => undefined };
    async function* data(): Bytes {
      yield content(slabSize);
      await new Promise(() => undefined);
    }
    const chunks = new HashedStream(data(), [digest]).chunks();
    await expect(chunks.next().then(() => chunks.next())).rejects.toBe(failure);
  });
});
