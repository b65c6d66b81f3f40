import type { ServiceError } from '@glance/domain';
import { storeError } from './store-error.js';

/** Milliseconds in which a place that has just failed is not tried again. */
const pause = 1000;

/**
 * Whether the place of a store could be made ready: tried when somebody needs it, by one at a time, until it succeeds.
 * So a store that was away when the service started is there once its place is.
 */
export class Readiness {
  readonly #open: () => Promise<void>;
  #opening: Promise<void> | undefined;
  #ready = false;
  #failure: { readonly error: ServiceError; readonly until: number } | undefined;

  constructor(open: () => Promise<void>) {
    this.#open = open;
  }

  get reached(): boolean {
    return this.#ready;
  }

  /** Returns once the place is ready; throws why it is not. */
  reach(): Promise<void> {
    if (this.#ready) return Promise.resolve();
    if (this.#failure && performance.now() < this.#failure.until) return Promise.reject(this.#failure.error);
    this.#opening ??= this.#try().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #try(): Promise<void> {
    try {
      await this.#open();
      this.#ready = true;
    } catch (cause) {
      const error = storeError(cause);
      this.#failure = { error, until: performance.now() + pause };
      throw error;
    }
  }
}
