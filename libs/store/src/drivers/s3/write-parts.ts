import { abortable } from '../../abortable.js';
import type { Buffers, Lease } from '../../buffers.js';
import type { Bytes } from '../../bytes.js';
import { cancellation } from '../../cancellation.js';

const mib = 1024 * 1024;

/** What S3 allows for an object. */
const mostParts = 10_000;

export interface PartWriting {
  readonly buffers: Buffers;
  /** Bytes of a part, unless the image would then have too many. */
  readonly partSize: number;
  /** Parts that are sent at a time. */
  readonly parallel: number;
  readonly size: number | undefined;
  readonly signal: AbortSignal;
  /** Stores one part, numbered from 1, and answers with its mark. */
  readonly send: (number: number, bytes: Uint8Array, signal: AbortSignal) => Promise<string>;
}

/** Sends `data` in parts, several at a time, and answers with their marks in order. There is at least one part. */
export async function writeParts(data: Bytes, writing: PartWriting): Promise<string[]> {
  const sender = new PartSender(writing);
  try {
    for await (const chunk of abortable(data, sender.signal, () => sender.reason)) await sender.take(chunk);
    return await sender.finish();
  } catch (error) {
    sender.stop(error);
    throw sender.reason;
  } finally {
    await sender.settled();
  }
}

class PartSender {
  readonly #writing: PartWriting;
  readonly #stop = new AbortController();
  readonly signal: AbortSignal;
  readonly #leases = new Map<number, Lease>();
  readonly #marks: Promise<string>[] = [];
  #filling: { readonly buffer: Buffer; readonly lease: Lease } | undefined;
  #filled = 0;

  constructor(writing: PartWriting) {
    this.#writing = writing;
    this.signal = AbortSignal.any([writing.signal, this.#stop.signal]);
  }

  /** Why it goes no further. */
  get reason(): Error {
    return this.#stop.signal.aborted ? (this.#stop.signal.reason as Error) : cancellation(this.#writing.signal);
  }

  async take(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length;) {
      const { buffer } = (this.#filling ??= await this.#begin());
      const piece = chunk.subarray(taken, taken + buffer.length - this.#filled);
      buffer.set(piece, this.#filled);
      taken += piece.length;
      this.#filled += piece.length;
      if (this.#filled === buffer.length) this.#send();
    }
  }

  async finish(): Promise<string[]> {
    if (this.#filling || this.#marks.length === 0) {
      this.#filling ??= await this.#begin();
      this.#send();
    }
    return Promise.all(this.#marks);
  }

  stop(reason: unknown): void {
    if (!this.signal.aborted) this.#stop.abort(reason);
  }

  /** Once nothing is under way any more, and all memory is given back. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#marks);
    if (this.#filling) this.#filling.lease.give(this.#filling.buffer);
    for (const lease of this.#leases.values()) lease.end();
  }

  async #begin(): Promise<{ buffer: Buffer; lease: Lease }> {
    this.#filled = 0;
    const lease = this.#leaseFor(bytesOfPart(this.#marks.length + 1, this.#writing));
    const buffer = await lease.take();
    this.signal.throwIfAborted();
    return { buffer, lease };
  }

  #leaseFor(size: number): Lease {
    const { buffers, parallel } = this.#writing;
    const lease = this.#leases.get(size) ?? buffers.lease({ own: 1, most: parallel + 1, size });
    this.#leases.set(size, lease);
    return lease;
  }

  #send(): void {
    const { buffer, lease } = this.#filling!;
    this.#filling = undefined;
    const number = this.#marks.length + 1;
    const bytes = buffer.subarray(0, this.#filled);
    const sent = this.#writing.send(number, bytes, this.signal);
    sent.then(
      () => lease.give(buffer),
      (error: unknown) => {
        // The system may still be sending some of it.
        lease.give(buffer, { reuse: false });
        this.stop(error);
      },
    );
    this.#marks.push(sent);
  }
}

/**
 * Of a known size, all parts but the last are alike, as some servers want it. Of an unknown one the first are small,
 * and each thousand larger than the one before, so that an image of 1 TiB still fits.
 */
export function bytesOfPart(
  number: number,
  { partSize, size }: { partSize: number; size: number | undefined },
): number {
  if (size === undefined) return Math.ceil(5 * 1.65 ** Math.floor((number - 1) / 1000)) * mib;
  if (size <= partSize) return Math.max(size, 1);
  return Math.max(partSize, Math.ceil(size / mostParts / mib) * mib);
}
