const MiB = 1024 * 1024;

/** Bytes of a buffer for whoever reads when many do. */
const modest = 128 * 1024;

/** Buffers that one reader has to read into, and may not touch once they are given back. */
export interface ReadLoan {
  readonly buffers: readonly Buffer[];
  /** `reusable`: nobody uses them any more, so that the next reader may have them. */
  giveBack(reusable: boolean): void;
}

/**
 * Buffers for all files that the process reads. Large ones, which save calls of the system, are lent up to 32 MiB in all;
 * who comes then gets smaller ones. They are used again, since those that are thrown away stay until the garbage collector
 * finds time, which is late when hundreds read at once.
 */
export class ReadBuffers {
  readonly #spare: number;
  /** Bytes in large buffers that are lent. */
  #lent = 0;
  #idle: Buffer[] = [];

  constructor(spare = 32 * MiB) {
    this.#spare = spare;
  }

  /** `count` buffers of `wanted` bytes each, or of fewer; none is larger than the `needed` bytes that there are to read. */
  lend(count: number, wanted: number, needed: number): ReadLoan {
    const large = wanted > modest && this.#lent + wanted * count <= this.#spare;
    const step = large ? wanted : Math.min(wanted, modest);
    const size = Math.min(step, needed);
    if (large) this.#lent += size * count;
    const buffers = Array.from({ length: count }, () => this.#take(size));
    return {
      buffers,
      giveBack: (reusable) => {
        if (large) this.#lent -= size * count;
        if (reusable && size === step) this.#keep(buffers);
      },
    };
  }

  #take(size: number): Buffer {
    const index = this.#idle.findLastIndex(({ length }) => length === size);
    if (index >= 0) return this.#idle.splice(index, 1)[0]!;
    // Those of other sizes, which nobody wants now, make room.
    for (let room = 0; room < size && this.#idle.length > 0;) room += this.#idle.shift()!.length;
    // Not filled with zeros: what is read of it was written before.
    return Buffer.allocUnsafeSlow(size);
  }

  #keep(buffers: readonly Buffer[]): void {
    for (const buffer of buffers) {
      const kept = this.#idle.reduce((sum, { length }) => sum + length, buffer.length);
      if (kept <= this.#spare) this.#idle.push(buffer);
    }
  }
}

/** Those of this process. */
export const readBuffers = new ReadBuffers();
