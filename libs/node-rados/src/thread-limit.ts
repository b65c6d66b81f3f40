import { timedOut } from './rados-error.js';

/**
 * Lets only so many calls block threads at once. libuv has four threads for all of a process, files and name look-ups
 * included: a cluster that hangs must not hold them all.
 */
export class ThreadLimit {
  readonly #max: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work` once there is room; ETIMEDOUT when there is none for `patience` milliseconds. */
  async run<T>(what: string, patience: number, work: () => Promise<T>): Promise<T> {
    await this.#enter(what, patience);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  #enter(what: string, patience: number): Promise<void> {
    if (this.#running < this.#max) {
      this.#running++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(timedOut(what));
      }, patience);
      const enter = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push(enter);
    });
  }
}

const threads = Number(process.env['UV_THREADPOOL_SIZE']) || 4;

/** Of all clusters together; one thread stays free whatever they do. */
export const allThreads = new ThreadLimit(Math.max(1, threads - 1));

/** Of one cluster. */
export function threadsOfOneCluster(): ThreadLimit {
  return new ThreadLimit(Math.max(1, Math.floor(threads / 2)));
}
