import { createCipheriv } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Bytes } from '../bytes.js';

/** `length` bytes that look random and are always the same for the same `seed`. */
export function content(length: number, seed = 1): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length));
}

/**
 * `bytes` in chunks that all lie in the same memory: who keeps one for longer than allowed finds the next one there.
 * Other things happen between two chunks.
 */
export async function* chunked(bytes: Buffer, chunkSize = 65536): Bytes {
  const memory = Buffer.alloc(Math.min(chunkSize, bytes.length));
  for (let start = 0; start < bytes.length; start += chunkSize) {
    const length = bytes.copy(memory, 0, start, start + chunkSize);
    yield memory.subarray(0, length);
    memory.fill(0xee);
    await setImmediate();
  }
}

/** Everything that comes, copied. */
export async function collect(data: Bytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of data) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** A signal that never fires. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** One chunk, then nothing until `resume` is called; `reached` settles when the second one is asked for. */
export function stalling(bytes: Buffer): { data: Bytes; reached: Promise<void>; resume: () => void } {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  async function* data(): Bytes {
    yield bytes.subarray(0, bytes.length / 2);
    reached.resolve();
    await gate.promise;
    yield bytes.subarray(bytes.length / 2);
  }
  return { data: data(), reached: reached.promise, resume: () => gate.resolve() };
}
