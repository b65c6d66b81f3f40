import type { Bytes } from './bytes.js';
import { discarded } from './store-error.js';

/** A write that is under way in this process. */
interface Upload {
  readonly stop: AbortController;
  /** Settles when nothing of it goes on any more. */
  readonly over: Promise<unknown>;
}

/** The writes of this process, by what they write, so that whoever discards that can stop them at once. */
export class Uploads {
  readonly #uploads = new Map<string, Set<Upload>>();

  /** Runs a write; when it is stopped it fails as soon as the source answers, or `signal` fires. */
  async run(
    key: string,
    source: Bytes,
    signal: AbortSignal,
    work: (data: Bytes, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const stop = new AbortController();
    const { data, left } = leavable(source, signal);
    const upload: Upload = { stop, over: work(data, AbortSignal.any([signal, stop.signal])) };
    const ofThisKey = this.#uploads.get(key) ?? new Set();
    this.#uploads.set(key, ofThisKey.add(upload));
    try {
      await upload.over;
    } finally {
      ofThisKey.delete(upload);
      if (ofThisKey.size === 0) this.#uploads.delete(key);
      if (stop.signal.aborted) await left();
    }
  }

  /** Returns once nothing is written any more. */
  async stop(key: string): Promise<void> {
    const own = [...(this.#uploads.get(key) ?? [])];
    const reason = discarded();
    for (const { stop } of own) stop.abort(reason);
    await Promise.allSettled(own.map(({ over }) => over));
  }
}

/** The same bytes; `left` settles when nobody waits for them, or `signal` has fired. */
function leavable(source: Bytes, signal: AbortSignal): { data: Bytes; left: () => Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = false;
  async function* data(): Bytes {
    begun = true;
    try {
      yield* source;
    } finally {
      resolve();
    }
  }
  return {
    data: data(),
    async left() {
      if (!begun || signal.aborted) return;
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    },
  };
}
