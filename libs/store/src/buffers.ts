interface Lender {
  /** Whether there is room for another one; `own` ones there always are. */
  borrow(own: boolean): boolean;
  payBack(): void;
  make(): Buffer;
  recycle(buffer: Buffer): void;
  end(): void;
}

/**
 * Buffers for the data that is on its way between a store and many streams. Each stream may always hold a few; more, to
 * have several operations in flight, only as long as all streams together have no more than `total` bytes.
 */
export class Buffers {
  readonly #total: number;
  #lent = 0;
  #leases = 0;
  #free: Buffer[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  /** For one stream: `own` buffers of `size` bytes that it may always have, and `most` at a time. */
  lease({ own, most, size }: { own: number; most: number; size: number }): Lease {
    this.#leases++;
    return new Lease(own, most, {
      borrow: (own) => (own || this.#lent + size <= this.#total) && (this.#lent += size) > 0,
      payBack: () => (this.#lent -= size),
      make: () => this.#make(size),
      recycle: (buffer) => this.#free.push(buffer),
      end: () => {
        if (--this.#leases === 0) this.#release();
      },
    });
  }

  // Not filled with zeros: every byte is written before it is read. One of another size makes room for it.
  #make(size: number): Buffer {
    const buffer = this.#free.pop();
    return buffer?.length === size ? buffer : Buffer.allocUnsafeSlow(size);
  }

  // At once: the garbage collector would come when the next streams have taken as much again.
  #release(): void {
    for (const { buffer } of this.#free) (buffer as ArrayBuffer).transfer(0);
    this.#free = [];
  }
}

/** The buffers of one stream. */
export class Lease {
  readonly #own: number;
  readonly #most: number;
  readonly #lender: Lender;
  #held = 0;
  #returned: (() => void) | undefined;

  constructor(own: number, most: number, lender: Lender) {
    this.#own = own;
    this.#most = most;
    this.#lender = lender;
  }

  /** A buffer with anything in it, if the stream may have another one now. */
  tryTake(): Buffer | undefined {
    if (this.#held >= this.#most || !this.#lender.borrow(this.#held < this.#own)) return undefined;
    this.#held++;
    return this.#lender.make();
  }

  /** A buffer, once the stream may have another one: at the latest when it has given one back. */
  async take(): Promise<Buffer> {
    for (;;) {
      const buffer = this.tryTake();
      if (buffer) return buffer;
      await new Promise<void>((resolve) => (this.#returned = resolve));
    }
  }

  /** With `reuse` false nobody gets it again: somebody may still write to it. */
  give(buffer: Buffer, { reuse = true } = {}): void {
    this.#held--;
    this.#lender.payBack();
    if (reuse) this.#lender.recycle(buffer);
    this.#returned?.();
  }

  /** Once all buffers were given back. */
  end(): void {
    this.#lender.end();
  }
}
