import type { Bytes } from './bytes.js';

/**
 * The same bytes, until `signal` fires: then a waiting consumer gets `reason()` at once, even if the source never
 * answers, and the source is told to stop.
 */
export function abortable(data: Bytes, signal: AbortSignal, reason: () => Error): Bytes {
  return { [Symbol.asyncIterator]: () => new AbortableIterator(data, signal, reason) };
}

// Written out, because a generator that waits for its source cannot be interrupted, and because racing each chunk
// against one long-lived promise would collect a reaction per chunk in it.
class AbortableIterator implements AsyncIterator<Uint8Array, undefined> {
  readonly #data: Bytes;
  readonly #signal: AbortSignal;
  readonly #reason: () => Error;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #pending: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined;
  #over = false;
  #aborted = false;

  constructor(data: Bytes, signal: AbortSignal, reason: () => Error) {
    this.#data = data;
    this.#signal = signal;
    this.#reason = reason;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    // Not the end: who was busy when it fired would take what it has for everything.
    if (this.#aborted) return Promise.reject(this.#reason());
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    const pending = (this.#pending = Promise.withResolvers<IteratorResult<Uint8Array, undefined>>());
    if (!this.#iterator) {
      if (this.#signal.aborted) {
        this.#abort();
        return pending.promise;
      }
      this.#signal.addEventListener('abort', this.#abort);
      this.#iterator = this.#data[Symbol.asyncIterator]();
    }
    this.#iterator.next().then(
      (step) => {
        if (step.done) this.#finish();
        pending.resolve(step.done ? { done: true, value: undefined } : step);
      },
      (error: unknown) => {
        this.#finish();
        pending.reject(error);
      },
    );
    return pending.promise;
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    const wasOver = this.#over;
    this.#finish();
    if (!wasOver) await this.#iterator?.return?.();
    return { done: true, value: undefined };
  }

  #finish(): void {
    this.#over = true;
    this.#signal.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => {
    this.#finish();
    this.#aborted = true;
    this.#pending?.reject(this.#reason());
    // Takes effect once the source answers, if ever.
    Promise.resolve(this.#iterator?.return?.()).catch(() => undefined);
  };
}
