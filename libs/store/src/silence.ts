import { ServiceError } from '@glance/domain';
import type { Bytes } from './bytes.js';

/** The time that a store has for its answer and for each chunk, where another could stand in for it. */
export class Silence {
  readonly #patience: number;
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** Milliseconds. The time runs. */
  constructor(patience: number) {
    this.#patience = patience;
    this.#begin();
  }

  /** Fires, with `StoreUnavailable`, when the store has been silent for too long. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** The same bytes. While their consumer is busy no time passes. */
  async *watched(data: Bytes): Bytes {
    this.#begin();
    try {
      for await (const chunk of data) {
        this.end();
        yield chunk;
        this.#begin();
      }
    } finally {
      this.end();
    }
  }

  #begin(): void {
    this.end();
    const error = new ServiceError('StoreUnavailable', `The store was silent for ${this.#patience / 1000} seconds.`);
    this.#timer = setTimeout(() => this.#over.abort(error), this.#patience);
  }
}
