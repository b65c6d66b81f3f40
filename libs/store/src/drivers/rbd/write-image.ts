import type { Image } from '@glance/node-rados';
import { abortable } from '../../abortable.js';
import type { Bytes } from '../../bytes.js';
import { cancellation } from '../../cancellation.js';
import type { Buffers, Lease } from '../../buffers.js';
import { bufferSize } from './buffer-size.js';
import { nonZeroRuns } from './non-zero-runs.js';

const inFlight = 12;
const mib = 1024 * 1024;

export interface ImageWriting {
  /** Zeros are not written: the image is new, and reads as zeros where nothing was. */
  readonly sparse: boolean;
  /** Where in an image whose size is not to change; if absent, the image is made exactly as large as the data. */
  readonly start?: number;
  readonly buffers: Buffers;
  readonly signal: AbortSignal;
}

/** Writes `data` to a new image, several pieces at a time. */
export async function writeImage(
  image: Image,
  data: Bytes,
  { sparse, start, buffers, signal }: ImageWriting,
): Promise<void> {
  const lease = buffers.lease({ own: 1, most: inFlight + 1, size: bufferSize });
  const writer = new Writer(image, lease, sparse, start);
  const either = AbortSignal.any([signal, writer.failed]);
  const reason = (): Error => (writer.failed.aborted ? (writer.failed.reason as Error) : cancellation(signal));
  try {
    for await (const chunk of abortable(data, either, reason)) await writer.write(chunk, either, reason);
    await writer.end();
    if (either.aborted) throw reason();
  } finally {
    await writer.settled();
    lease.end();
  }
}

class Writer {
  readonly #image: Image;
  readonly #lease: Lease;
  readonly #sparse: boolean;
  readonly #sizeStays: boolean;
  readonly #failure = new AbortController();
  readonly #writes = new Set<Promise<void>>();
  #buffer: Buffer | undefined;
  #filled = 0;
  /** Where in the image the buffer goes to. */
  #position: number;

  constructor(image: Image, lease: Lease, sparse: boolean, start: number | undefined) {
    this.#image = image;
    this.#lease = lease;
    this.#sparse = sparse;
    this.#sizeStays = start !== undefined;
    this.#position = start ?? 0;
  }

  /** Fires with the error of the first write that fails. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  async write(chunk: Uint8Array, signal: AbortSignal, reason: () => unknown): Promise<void> {
    for (let start = 0; start < chunk.length;) {
      this.#buffer ??= await this.#lease.take();
      if (signal.aborted) throw reason();
      const piece = chunk.subarray(start, start + bufferSize - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      start += piece.length;
      if (this.#filled === bufferSize) await this.#submit();
    }
  }

  async end(): Promise<void> {
    if (this.#filled > 0) await this.#submit();
    await this.settled();
    if (this.#sizeStays || this.failed.aborted || this.#image.size === this.#position) return;
    await this.#image.resize(this.#position);
  }

  /** Nothing is in flight any more, and no buffer is held. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes);
    if (this.#buffer) this.#lease.give(this.#buffer);
    this.#buffer = undefined;
  }

  async #submit(): Promise<void> {
    const [buffer, length, position] = [this.#buffer!, this.#filled, this.#position];
    // Until it is taken over, `settled` gives the buffer back.
    const needed = position + length;
    if (!this.#sizeStays && needed > this.#image.size) await this.#image.resize(grown(this.#image.size, needed));
    this.#buffer = undefined;
    this.#filled = 0;
    this.#position += length;
    const write = this.#writeOut(buffer, length, position);
    this.#writes.add(write);
    void write.then(() => this.#writes.delete(write));
  }

  async #writeOut(buffer: Buffer, length: number, position: number): Promise<void> {
    const runs = this.#sparse ? nonZeroRuns(buffer, length) : [{ start: 0, end: length }];
    const writes = runs.map(({ start, end }) => this.#image.write(position + start, buffer.subarray(start, end)));
    const outcomes = await Promise.allSettled(writes);
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    this.#lease.give(buffer, { reuse: !failure });
    if (failure) this.#failure.abort(failure.reason);
  }
}

/** Large enough for `needed`; by half of what there is, for each change waits until nothing is in flight. */
function grown(size: number, needed: number): number {
  const step = Math.min(Math.max(size / 2, 64 * mib), 8192 * mib);
  return Math.max(needed, Math.ceil((size + step) / bufferSize) * bufferSize);
}
