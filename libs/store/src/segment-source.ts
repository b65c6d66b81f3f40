import type { Bytes } from './bytes.js';

/** A stream that is taken in segments, one after the other. */
export class SegmentSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #over = false;

  constructor(data: Bytes) {
    this.#iterator = data[Symbol.asyncIterator]();
  }

  /** Whether there is another byte. */
  async more(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#over) {
      const step = await this.#iterator.next();
      if (step.done) this.#over = true;
      else this.#rest = step.value;
    }
    return this.#rest.length > 0;
  }

  /** The next `limit` bytes, or those that are left. */
  async *take(limit: number): Bytes {
    for (let left = limit; left > 0 && (await this.more());) {
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** Tells where it comes from that nobody wants the rest. */
  async close(): Promise<void> {
    if (!this.#over) await this.#iterator.return?.();
  }
}
