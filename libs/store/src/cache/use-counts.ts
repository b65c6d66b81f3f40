import type { CacheDirectory } from './cache-directory.js';
import type { CacheEntry } from './cache-entry.js';

/** Milliseconds in which uses are gathered: an image that is wanted all the time is not touched each time. */
const pause = 1_000;

/** Counts uses of entries, and writes them down a little later. */
export class UseCounts {
  #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(private readonly directory: CacheDirectory) {}

  add({ name }: CacheEntry): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#timer ??= setTimeout(() => void this.write(), pause).unref();
  }

  /** Writes down what was counted. Nothing depends on it: a failure is ignored. */
  write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = this.#counts;
    this.#counts = new Map();
    this.#writing = this.#writing.then(async () => {
      for (const [name, times] of counts) await this.directory.used({ name }, times).catch(() => undefined);
    });
    return this.#writing;
  }
}
