import { ServiceError } from '@glance/domain';

export interface PatientCallsSettings {
  /** Milliseconds that a call may take. */
  readonly timeout: number;
  /** Calls that may be under way at a time: each of them holds a thread of the process until the system answers. */
  readonly atATime: number;
  /** So many calls without an answer, and no more are made until one comes. */
  readonly mostStuck: number;
}

export interface PatientCall<T> {
  readonly patience?: number;
  readonly late?: ((answer: T) => unknown) | undefined;
  readonly insist?: boolean;
}

interface Waiting {
  start(): void;
}

/**
 * Calls of the system that may never answer, as those on a network file system whose server is away. Whoever makes one
 * waits for a limited time, and such calls hold only some of the threads that everything else needs, too.
 */
export class PatientCalls {
  readonly #settings: PatientCallsSettings;
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #stuck = 0;

  constructor(settings: PatientCallsSettings) {
    this.#settings = settings;
  }

  /**
   * What `call` answers; `StoreUnavailable` after `patience` times the time-out, or at once while too many calls hang.
   * `late` gets an answer for which nobody waits any more. With `insist`, the call is made, whenever that is possible.
   */
  run<T>(call: () => Promise<T>, { patience = 1, late, insist = false }: PatientCall<T> = {}): Promise<T> {
    if (!insist && this.#stuck >= this.#settings.mostStuck) return Promise.reject(hung());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let stuck: boolean | undefined;
    const waiting: Waiting = {
      start: () => {
        this.#running += 1;
        stuck = false;
        const settle = (): void => {
          clearTimeout(timer);
          this.#running -= 1;
          if (stuck === true) this.#stuck -= 1;
          this.#next();
        };
        call().then(
          (answer) => {
            settle();
            if (stuck === true) void late?.(answer);
            resolve(answer);
          },
          (error: unknown) => {
            settle();
            reject(error);
          },
        );
      },
    };
    const timer = setTimeout(() => {
      if (this.#waiting.has(waiting)) {
        if (!insist) this.#waiting.delete(waiting);
      } else {
        stuck = true;
        this.#stuck += 1;
      }
      reject(hung());
    }, this.#settings.timeout * patience);
    this.#waiting.add(waiting);
    this.#next();
    return promise;
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.#running >= this.#settings.atATime) return;
      this.#waiting.delete(waiting);
      waiting.start();
    }
  }
}

/** A call that hangs may still take effect: what it leaves is removed later. */
function hung(): ServiceError {
  return new ServiceError('StoreUnavailable', 'The file system of the store does not answer.', { leftovers: true });
}
