import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import { chunked, collect, content } from '../testing/content.js';
import { DigestPool } from './digest-pool.js';
import { digests, isDigestAlgorithm } from './digests.js';
import { slabSize } from './slabs.js';

const hex = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex');

/** Threads that die when they are first asked for something. */
const dying = (): Worker =>
  new Worker(`require('worker_threads').parentPort.once('message', () => process.exit(3))`, { eval: true });

describe('digests', () => {
  for (const length of [0, 1, slabSize - 1, slabSize, slabSize + 1, 13 * slabSize + 5]) {
    it(`of ${length} bytes are right, and the bytes pass unchanged`, async () => {
      const bytes = content(length);
      const tap = digests(['md5', 'sha512']);
      expect((await collect(tap.through(chunked(bytes, 60_001)))).equals(bytes)).toBe(true);
      expect(tap.result()).toEqual({ md5: hex('md5', bytes), sha512: hex('sha512', bytes) });
    });
  }

  it('come by the names that hashlib and OpenSSL use', async () => {
    const bytes = content(1000);
    const tap = digests(['sha3_256', 'blake2b', 'sha256', 'sha1', 'md5', 'md5']);
    await collect(tap.through(chunked(bytes)));
    expect(tap.result()).toEqual({
      sha3_256: hex('sha3-256', bytes),
      blake2b: hex('blake2b512', bytes),
      sha256: hex('sha256', bytes),
      sha1: hex('sha1', bytes),
      md5: hex('md5', bytes),
    });
  });

  it('refuse an algorithm that does not exist before anything is read', () => {
    expect(() => digests(['md5', 'rot13'])).toThrow(/"rot13".*sha512/);
    expect(isDigestAlgorithm('rot13')).toBe(false);
    expect(isDigestAlgorithm('sha512')).toBe(true);
  });

  it('are not known before the end', async () => {
    const tap = digests(['md5']);
    for await (const _ of tap.through(chunked(content(100)))) expect(() => tap.result()).toThrow('last byte');
    expect(tap.result().md5).toBe(hex('md5', content(100)));
  });

  it('of many streams at once do not mix', async () => {
    const pool = new DigestPool(2);
    const streams = Array.from({ length: 20 }, async (_, index) => {
      const bytes = content(2 * slabSize + index, index + 1);
      const tap = digests(['md5', 'sha256'], { pool });
      const passed = await collect(tap.through(chunked(bytes)));
      expect(passed.equals(bytes)).toBe(true);
      expect(tap.result()).toEqual({ md5: hex('md5', bytes), sha256: hex('sha256', bytes) });
    });
    await Promise.all(streams);
  });

  it('pass on the failure of the source', async () => {
    const broken = new Error('The source broke.');
    async function* data(): Bytes {
      yield content(100);
      throw broken;
    }
    await expect(collect(digests(['md5']).through(data()))).rejects.toBe(broken);
  });

  it('release the source when the consumer leaves', async () => {
    const released = Promise.withResolvers<void>();
    async function* data(): Bytes {
      try {
        for (;;) yield* chunked(content(slabSize));
      } finally {
        released.resolve();
      }
    }
    for await (const _ of digests(['md5']).through(data())) break;
    await released.promise;
  });

  it('do not wait for a source that is silent when the consumer leaves', async () => {
    async function* data(): Bytes {
      yield content(slabSize);
      await new Promise(() => undefined);
    }
    for await (const _ of digests(['md5']).through(data())) break;
  });

  it('fail with their thread, and only then; the next stream has a new one', async () => {
    const deaths = [true, false, false];
    const pool = new DigestPool(2, () => (deaths.shift() === true ? dying() : sound()));
    const unlucky = collect(digests(['md5'], { pool }).through(chunked(content(10))));
    const lucky = digests(['md5'], { pool });
    const passed = collect(lucky.through(chunked(content(10))));
    await expect(unlucky).rejects.toMatchObject({ code: 'Internal' });
    await passed;
    expect(lucky.result().md5).toBe(hex('md5', content(10)));
    const [next, another] = [digests(['md5'], { pool }), digests(['md5'], { pool })];
    await Promise.all([next, another].map((tap) => collect(tap.through(chunked(content(20))))));
    expect(next.result().md5).toBe(hex('md5', content(20)));
    expect(deaths).toEqual([]);
  });

  it('fail when the thread dies while nobody asks it anything', async () => {
    const worker = sound();
    const pool = new DigestPool(1, () => worker);
    async function* data(): Bytes {
      yield content(slabSize);
      await worker.terminate();
      yield content(slabSize);
    }
    await expect(collect(digests(['md5'], { pool }).through(data()))).rejects.toMatchObject({ code: 'Internal' });
  });

  it('hold the process only while they are being computed', async () => {
    const worker = sound();
    const held: boolean[] = [];
    const [ref, unref] = [worker.ref.bind(worker), worker.unref.bind(worker)];
    worker.ref = () => {
      held.push(true);
      ref();
    };
    worker.unref = () => {
      held.push(false);
      unref();
    };
    await collect(digests(['md5'], { pool: new DigestPool(1, () => worker) }).through(chunked(content(slabSize))));
    expect(held.at(0)).toBe(false);
    expect(held).toContain(true);
    await expect.poll(() => held.at(-1)).toBe(false);
  });
});

function sound(): Worker {
  return new Worker(new URL('./digest-worker.ts', import.meta.url));
}
