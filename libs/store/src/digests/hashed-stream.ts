import type { Bytes } from '../bytes.js';
import type { RemoteDigest } from './digest-pool.js';
import { giveSlab, type Slab, slabSize, takeSlab } from './slabs.js';

interface Filled {
  readonly slab: Slab;
  readonly length: number;
  /** The digests and the consumer that still read it. */
  readers: number;
}

/** Gathers a stream in slabs, ahead of its consumer, and lets digests and consumer read them at the same time. */
export class HashedStream {
  readonly #data: Bytes;
  readonly #digests: readonly RemoteDigest[];
  readonly #ready: Filled[] = [];
  #slabs = 0;
  #filling: Slab | undefined;
  /** Bytes in the slab that is being filled. */
  #filled = 0;
  #state: 'reading' | 'ended' | 'failed' | 'closed' = 'reading';
  #failure: unknown;
  #reading: Promise<void> | undefined;
  /** Whether the source has been asked for a chunk: it may never answer. */
  #pulling = false;
  #wakeReader: (() => void) | undefined;
  #wakeConsumer: (() => void) | undefined;

  constructor(data: Bytes, digests: readonly RemoteDigest[]) {
    this.#data = data;
    this.#digests = digests;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#reading = this.#read();
    for (;;) {
      const filled = await this.#next();
      if (!filled) return;
      try {
        yield filled.slab.bytes.subarray(0, filled.length);
      } finally {
        this.#release(filled);
      }
    }
  }

  /** Hex, in the order of the digests, once all chunks were consumed. */
  digests(): Promise<string[]> {
    return Promise.all(this.#digests.map((digest) => digest.end()));
  }

  async close(): Promise<void> {
    if (this.#state === 'reading') this.#state = 'closed';
    for (const filled of this.#ready.splice(0)) this.#release(filled);
    for (const digest of this.#digests) digest.drop();
    this.#wakeReader?.();
    if (!this.#pulling) await this.#reading;
  }

  async #next(): Promise<Filled | undefined> {
    while (this.#state === 'reading' && this.#ready.length === 0) {
      await new Promise<void>((resolve) => (this.#wakeConsumer = resolve));
    }
    if (this.#state === 'failed') throw this.#failure;
    return this.#ready.shift();
  }

  async #read(): Promise<void> {
    try {
      this.#pulling = true;
      for await (const chunk of this.#data) {
        this.#pulling = false;
        await this.#gather(chunk);
        if (this.#isOver()) return;
        this.#pulling = true;
      }
      if (this.#isOver()) return;
      if (this.#filling) this.#publish(this.#filling);
      this.#state = 'ended';
      this.#wakeConsumer?.();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pulling = false;
      if (this.#filling) this.#free(this.#filling);
    }
  }

  async #gather(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length;) {
      const slab = this.#filling ?? (await this.#take());
      if (!slab) return;
      const piece = chunk.subarray(taken, taken + slabSize - this.#filled);
      slab.bytes.set(piece, this.#filled);
      taken += piece.length;
      this.#filled += piece.length;
      if (this.#filled === slabSize) this.#publish(slab);
    }
  }

  // A method, because the state changes while the reader waits, which the compiler does not see.
  #isOver(): boolean {
    return this.#state !== 'reading';
  }

  /** Nothing when the stream is over. */
  async #take(): Promise<Slab | undefined> {
    while (!this.#isOver()) {
      this.#filling = takeSlab(this.#slabs);
      if (this.#filling) {
        this.#slabs++;
        this.#filled = 0;
        return this.#filling;
      }
      // At the latest when one of its own comes back.
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
    return undefined;
  }

  #publish(slab: Slab): void {
    const filled: Filled = { slab, length: this.#filled, readers: this.#digests.length + 1 };
    this.#filling = undefined;
    for (const digest of this.#digests) {
      digest.update(slab.memory, filled.length).then(
        () => this.#release(filled),
        (error: unknown) => {
          this.#release(filled);
          this.#fail(error);
        },
      );
    }
    this.#ready.push(filled);
    this.#wakeConsumer?.();
  }

  #release(filled: Filled): void {
    if (--filled.readers === 0) this.#free(filled.slab);
  }

  #free(slab: Slab): void {
    this.#slabs--;
    giveSlab(slab);
    this.#wakeReader?.();
  }

  #fail(error: unknown): void {
    if (this.#state === 'closed' || this.#state === 'failed') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#wakeConsumer?.();
    this.#wakeReader?.();
  }
}
