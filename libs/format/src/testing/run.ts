import type { Bytes } from '@glance/store';
import { inspectFormat, type FormatReport } from '../inspect.js';

/** Cuts `image` into chunks of `length`, which all use the same memory, one after the other. For tests only. */
export async function* reusedChunks(image: Uint8Array, length: number): Bytes {
  const memory = new Uint8Array(Math.min(length, image.length));
  for (let at = 0; at < image.length; at += length) {
    const piece = image.subarray(at, at + length);
    memory.set(piece);
    yield memory.subarray(0, piece.length);
    memory.fill(0xa5);
  }
}

/** The report on `image`, sent in chunks of `length`. For tests only. */
export async function inspect(image: Uint8Array, length = 64 * 1024): Promise<FormatReport> {
  const tap = inspectFormat();
  for await (const _ of tap.through(reusedChunks(image, length)));
  return tap.result();
}
