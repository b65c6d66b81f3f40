import type { FileHandle } from 'node:fs/promises';
import { isServiceError, ServiceError } from '@glance/domain';
import { abortable } from '../abortable.js';
import type { Bytes } from '../bytes.js';
import { cancellation } from '../cancellation.js';
import { digests } from '../digests/digests.js';
import { hasCode } from '../drivers/file/system-error.js';
import { fillFile } from '../drivers/file/write-file.js';
import { type CacheDirectory, lifeSign } from './cache-directory.js';
import type { CacheEntry, DigestPromise } from './cache-entry.js';
import type { Growth } from './growth.js';

/** How a fill came out: `full` for want of room, `wrong` where the data is not what the record says. */
export type Outcome = 'filled' | 'full' | 'wrong' | 'dropped' | 'failed';

export interface FillParts {
  readonly directory: CacheDirectory;
  readonly entry: CacheEntry;
  /** As `CacheDirectory.claim` gave it; it is closed at the end. */
  readonly file: FileHandle;
  /** Milliseconds without a byte after which it is given up. */
  readonly stallTime: number;
}

/** One entry while this process fills it. Readers take from the file what is there; none of them holds the fill back. */
export class Fill implements Growth {
  written = 0;
  failed = false;
  #dropped = false;
  #published = false;
  #readers = 0;
  #moved = performance.now();
  #change = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  readonly #life: NodeJS.Timeout;

  constructor(private readonly parts: FillParts) {
    this.#life = setInterval(() => this.#live(), lifeSign);
    this.#life.unref();
  }

  /** Fires when nobody wants the rest. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  grown(): Promise<void> {
    return this.#change.promise;
  }

  joined(): void {
    this.#readers++;
  }

  left(): void {
    if (--this.#readers === 0 && this.#dropped) this.stop();
  }

  /** It is not to be kept. Whoever reads it gets the rest. */
  drop(): void {
    this.#dropped = true;
    if (this.#readers === 0) this.stop();
  }

  /** Gives it up. */
  stop(): void {
    this.#stop.abort(new ServiceError('Cancelled', 'The image is not to be cached any more.'));
  }

  /** Fills it, verifies it, and makes it an entry; or removes what there is of it. Never fails. */
  async run(data: Bytes, digest: DigestPromise): Promise<{ outcome: Outcome; error?: unknown }> {
    const { directory, entry, file } = this.parts;
    try {
      const { signal } = this;
      const check = digests([digest.algorithm]);
      const arriving = abortable(data, signal, () => cancellation(signal));
      const writing = { sparse: false, chunkSize: 0, durable: true, signal };
      await fillFile(file, this.#watched(check.through(arriving)), writing);
      if (check.result()[digest.algorithm] !== digest.value) throw new WrongData();
      if (this.#dropped) throw cancellation(signal);
      await directory.publish(entry);
      this.#published = true;
      return { outcome: 'filled' };
    } catch (error) {
      return { outcome: this.#outcome(error), error };
    } finally {
      await this.abandon();
    }
  }

  /** Ends it, whether or not it was run: what is not published goes. */
  async abandon(): Promise<void> {
    clearInterval(this.#life);
    this.failed = !this.#published;
    this.#change.resolve();
    await this.parts.directory.abandon(this.parts.entry).catch(() => undefined);
    await this.parts.file.close().catch(() => undefined);
  }

  async *#watched(data: Bytes): Bytes {
    const { size } = this.parts.entry;
    for await (const chunk of data) {
      if (this.written + chunk.length > size) throw new WrongData();
      yield chunk;
      // Pulled again: the chunk is in the file.
      this.written += chunk.length;
      this.#moved = performance.now();
      const change = this.#change;
      this.#change = Promise.withResolvers();
      change.resolve();
    }
    if (this.written < size) throw new WrongData();
  }

  #live(): void {
    if (performance.now() - this.#moved > this.parts.stallTime) {
      this.#stop.abort(new ServiceError('StoreUnavailable', 'The store has sent nothing for image_cache_stall_time.'));
      return;
    }
    const now = new Date();
    // It may have been closed just now.
    this.parts.file.utimes(now, now).catch(() => undefined);
  }

  #outcome(error: unknown): Outcome {
    if (error instanceof WrongData) return 'wrong';
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) return 'full';
    const gone = hasCode(error, 'ENOENT') || isServiceError(error, 'Cancelled');
    return this.#dropped || gone ? 'dropped' : 'failed';
  }
}

class WrongData extends Error {
  constructor() {
    super('The data of the image is not what its record says.');
  }
}
