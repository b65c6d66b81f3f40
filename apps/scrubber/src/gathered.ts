import { setTimeout as delay } from 'node:timers/promises';
import { type ClaimedDeletion, type Scrubbing, ServiceError } from '@glance/domain';

/** What the registry takes at a time. */
export const mostAtOnce = 500;
/** Milliseconds that one waits for others. */
const patience = 100;

interface Waiting extends PromiseWithResolvers<void> {
  readonly work: ClaimedDeletion;
}

/** Finishes deletions by calls that take many: what comes within a short while, or while a call is under way, goes together. */
export class Gathered {
  readonly #waiting: Waiting[] = [];
  #calls: Promise<void> | undefined;
  /** Resolves when as many wait as a call takes. */
  #full = Promise.withResolvers<void>();

  constructor(private readonly call: Scrubbing['finishDeletions']) {}

  /** Resolves once a call has finished it; fails with `Gone` if the lease was lost, else as the call does. */
  finish(work: ClaimedDeletion): Promise<void> {
    const waiting = { work, ...Promise.withResolvers<void>() };
    this.#waiting.push(waiting);
    if (this.#waiting.length >= mostAtOnce) this.#full.resolve();
    this.#calls ??= this.#callAll();
    return waiting.promise;
  }

  /** Resolves when a call more has room for all that waits. */
  async room(): Promise<void> {
    while (this.#waiting.length >= mostAtOnce) await this.#waiting[0]!.promise.catch(() => undefined);
  }

  async #callAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < mostAtOnce) await Promise.race([delay(patience), this.#full.promise]);
      const some = this.#waiting.splice(0, mostAtOnce);
      this.#full = Promise.withResolvers();
      try {
        const lost = new Set((await this.call(some.map(({ work }) => work))).map(({ token }) => token));
        for (const { work, resolve, reject } of some) {
          if (lost.has(work.token)) reject(new ServiceError('Gone', 'Somebody else has taken over the work on it.'));
          else resolve();
        }
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.#calls = undefined;
  }
}
