/** The last `length` bytes of a stream, right-aligned in zeros while it has fewer. Costs a copy of that length per chunk at most. */
export class TailWindow {
  readonly #buffer: Buffer;
  #end: number;

  constructor(readonly length: number) {
    this.#buffer = Buffer.alloc(8 * length);
    this.#end = length;
  }

  append(chunk: Uint8Array): void {
    const added = chunk.length > this.length ? chunk.subarray(chunk.length - this.length) : chunk;
    if (this.#end + added.length > this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#end - this.length, this.#end);
      this.#end = this.length;
    }
    this.#buffer.set(added, this.#end);
    this.#end += added.length;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(this.#end - this.length, this.#end);
  }
}
