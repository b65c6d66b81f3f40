import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isServiceError, type Logger, ServiceError } from '@glance/domain';
import { abortable } from '../abortable.js';
import type { Bytes } from '../bytes.js';
import { cancellation } from '../cancellation.js';
import { continued } from '../continued.js';
import { fileBytes } from '../drivers/file/file-bytes.js';
import { fileSystem } from '../drivers/file/file-system.js';
import { ignoring } from '../drivers/file/system-error.js';
import { CacheDirectory, isAbandoned, type Removed } from './cache-directory.js';
import { type CacheableImage, type CacheEntry, digestOf, type DigestPromise, entryOf } from './cache-entry.js';
import { bytes, evictions, fills, requests } from './cache-metrics.js';
import { Fill } from './fill.js';
import { ForeignGrowth, type Growth, growingBytes, openEntry } from './growth.js';
import { UseCounts } from './use-counts.js';

export interface ImageCacheSettings {
  readonly directory: string;
  /** Bytes that all entries may take together. */
  readonly maxSize: number;
  /** Milliseconds without a byte from the store after which an image is not put into the cache. */
  readonly stallTime: number;
  readonly logger: Logger;
}

/** Opens the data in its store, or a part of it. `size` is that of the whole image, in bytes. */
export type Fetch = (
  part: { readonly offset: number; readonly length?: number },
  signal: AbortSignal,
) => Promise<{ readonly size: number; readonly data: Bytes }>;

export interface CacheRead {
  readonly image: CacheableImage;
  /** Bytes from the start, and how many; to the end if absent. */
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  /** Whether the image comes into the cache, if it is not in it. */
  readonly fill: boolean;
  readonly signal: AbortSignal;
  readonly fetch: Fetch;
}

/** A fill of this process that began, or is about to. */
interface Filling {
  readonly id: string;
  begun: Promise<Growth | undefined>;
  fill?: Fill;
}

/** Bytes that are read of a file at a time: of a whole entry, as stores of files do, and of one that grows. */
const chunkSize = 524_288;
const growingChunkSize = 262_144;

/** Images that a process fetches at the same time; further ones come from their store. Each takes some MiB of memory. */
const mostFills = 16;

const fs = fileSystem(undefined);

/**
 * Copies of images on this host, for whoever downloads them next. An image that many want at once is read from its store
 * once, by the first process of the host; all others take from the copy what is there, each at its own pace. It knows
 * nothing of rights: whoever asks has seen the record of the image, and only what that speaks of is found. Whatever fails
 * here, the data comes from the store, at the latest from where the cache broke off.
 */
export class ImageCache {
  readonly directory: CacheDirectory;
  /** Called when other images are in the cache than before. */
  onChange: () => void = () => undefined;
  readonly #settings: ImageCacheSettings;
  readonly #uses: UseCounts;
  /** By names of entries. */
  readonly #fills = new Map<string, Filling>();
  readonly #foreign = new Map<string, ForeignGrowth>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(settings: ImageCacheSettings) {
    this.#settings = settings;
    this.directory = new CacheDirectory(settings.directory, settings.maxSize);
    this.#uses = new UseCounts(this.directory);
  }

  /** Makes the directory ready, and tidies it. */
  async open(): Promise<void> {
    await this.directory.open();
    await this.prune();
  }

  /** Gives up what is being fetched. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { fill } of this.#fills.values()) fill?.stop();
    await Promise.all(this.#running);
    await this.#uses.write();
  }

  /** The data of an image: from here if it is here, or begins to be; else from its store. Fails as `fetch` does. */
  async read({ image, offset = 0, length, fill, signal, fetch }: CacheRead): Promise<Bytes> {
    const entry = entryOf(image);
    const end = Math.min(entry?.size ?? 0, offset + (length ?? Infinity));
    const from = async (start: number): Promise<Bytes> => {
      const rest = { offset: start, ...(length !== undefined && { length: offset + length - start }) };
      return (await fetch(rest, signal)).data;
    };
    const found =
      entry && offset < end ? await this.#find(entry, image, { start: offset, end, fill, signal, fetch }) : undefined;
    if (!found) {
      requests.inc({ result: 'miss' });
      return from(offset);
    }
    requests.inc({ result: found.result });
    let broken = false;
    return continued(this.#served(found.data, image.id, signal), signal, async (sent) => {
      if (broken) return undefined;
      broken = true;
      return from(offset + sent);
    });
  }

  /** Brings an image into the cache, and answers whether it is in it; if another process does so, waits for that. */
  async prefetch(image: CacheableImage, fetch: Fetch): Promise<boolean> {
    const entry = entryOf(image);
    if (!entry) return false;
    try {
      if (await this.#whole(entry)) return true;
      const growth = await this.#join(entry, image, fetch);
      while (growth?.failed === false && !(await this.#whole(entry))) await growth.grown();
      return (await this.#whole(entry)) !== undefined;
    } catch (error) {
      this.#report(image.id, error);
      return false;
    }
  }

  /** All of an image goes, also what is being fetched; answers with how many entries there were. */
  async remove(id: string): Promise<number> {
    for (const filling of this.#fills.values()) if (filling.id === id) filling.fill?.drop();
    const removed = await this.directory.remove(id);
    if (removed > 0) this.onChange();
    return removed;
  }

  /** All entries go; answers with how many. */
  async clear(): Promise<number> {
    const entries = await this.directory.entries();
    for (const entry of entries) await this.directory.forget(entry);
    this.onChange();
    return entries.length;
  }

  /** Removes the entries that were not used for longest until the rest fits. */
  async prune(): Promise<Removed> {
    return (await this.#makeRoom()).evicted;
  }

  async #find(
    entry: CacheEntry,
    image: CacheableImage,
    {
      start,
      end,
      fill,
      signal,
      fetch,
    }: Omit<CacheRead, 'image' | 'offset' | 'length'> & { start: number; end: number },
  ): Promise<{ readonly result: 'hit' | 'joined'; readonly data: Bytes } | undefined> {
    try {
      if (await this.#whole(entry)) {
        this.#uses.add(entry);
        const part = { start, end, chunkSize, signal };
        return { result: 'hit', data: fileBytes(fs, this.directory.whole(entry), part) };
      }
      const growth = fill ? await this.#join(entry, image, fetch) : await this.#underWay(entry);
      // Nobody waits for what lies before the part that he wants.
      if (!growth || growth.written < start) return undefined;
      const part = { start, end, chunkSize: growingChunkSize };
      const data = growingBytes(growth, () => openEntry(this.directory, entry), part);
      return { result: 'joined', data: abortable(data, signal, () => cancellation(signal)) };
    } catch (error) {
      this.#report(image.id, error);
      return undefined;
    }
  }

  async #whole(entry: CacheEntry): Promise<Stats | undefined> {
    const facts = await stat(this.directory.whole(entry)).catch(ignoring('ENOENT'));
    return facts?.size === entry.size ? facts : undefined;
  }

  /** What there is already of an entry that somebody fills. */
  async #underWay(entry: CacheEntry): Promise<Growth | undefined> {
    const own = this.#fills.get(entry.name);
    if (own) return own.begun;
    const facts = await stat(this.directory.growing(entry)).catch(ignoring('ENOENT'));
    return facts && !isAbandoned(facts) ? this.#foreignOf(entry) : undefined;
  }

  /** The fill of an entry that is under way, or begins; undefined if it cannot be. */
  async #join(entry: CacheEntry, image: CacheableImage, fetch: Fetch): Promise<Growth | undefined> {
    const known = this.#fills.get(entry.name);
    if (known) return known.begun;
    const digest = digestOf(image);
    if (this.#closed || digest === undefined || this.#fills.size >= mostFills || entry.size > this.#settings.maxSize) {
      return undefined;
    }
    const filling: Filling = { id: entry.id, begun: Promise.resolve(undefined) };
    this.#fills.set(entry.name, filling);
    filling.begun = this.#begin(entry, digest, fetch, filling);
    return filling.begun;
  }

  async #begin(entry: CacheEntry, digest: DigestPromise, fetch: Fetch, filling: Filling): Promise<Growth | undefined> {
    let data: Bytes | undefined;
    try {
      const file = await this.directory.claim(entry);
      if (!file) return await this.#foreignOf(entry);
      const fill = new Fill({ directory: this.directory, entry, file, stallTime: this.#settings.stallTime });
      filling.fill = fill;
      data = await this.#opened(entry, fill, fetch);
      if (!data) return undefined;
      const running = this.#run(fill, entry, data, digest).finally(() => this.#running.delete(running));
      this.#running.add(running);
      return fill;
    } finally {
      if (!data) {
        this.#fills.delete(entry.name);
        await filling.fill?.abandon();
      }
    }
  }

  /** The data for a new fill; undefined if it cannot come in. */
  async #opened(entry: CacheEntry, fill: Fill, fetch: Fetch): Promise<Bytes | undefined> {
    // Somebody else may have finished it between the look and the claim.
    if (await this.#whole(entry)) return undefined;
    if (!(await this.#makeRoom()).enough) return undefined;
    const { size, data } = await fetch({ offset: 0 }, fill.signal);
    return size === entry.size ? data : undefined;
  }

  async #makeRoom(): ReturnType<CacheDirectory['makeRoom']> {
    const made = await this.directory.makeRoom();
    evictions.inc(made.evicted.files);
    if (made.evicted.files > 0) this.onChange();
    return made;
  }

  async #run(fill: Fill, entry: CacheEntry, data: Bytes, digest: DigestPromise): Promise<void> {
    const { outcome, error } = await fill.run(data, digest);
    this.#fills.delete(entry.name);
    fills.inc({ outcome });
    bytes.inc({ direction: 'filled' }, fill.written);
    if (outcome === 'filled') this.onChange();
    else this.#report(entry.id, error, outcome);
  }

  async #foreignOf(entry: CacheEntry): Promise<Growth> {
    for (const [name, { written, failed, size }] of this.#foreign) {
      if (failed || written === size) this.#foreign.delete(name);
    }
    const growth = this.#foreign.get(entry.name) ?? new ForeignGrowth(this.directory, entry);
    this.#foreign.set(entry.name, growth);
    await growth.look();
    return growth;
  }

  /** Counts what is served. What goes wrong here is no error of the image: its store has it. */
  async *#served(data: Bytes, id: string, signal: AbortSignal): Bytes {
    try {
      for await (const chunk of data) {
        bytes.inc({ direction: 'served' }, chunk.length);
        yield chunk;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      if (!isServiceError(error, 'DataNotFound', 'StoreUnavailable')) this.#report(id, error);
      throw new ServiceError('StoreUnavailable', 'The cache cannot be read.', {}, { cause: error });
    }
  }

  #report(imageId: string, error: unknown, outcome?: string): void {
    if (outcome === 'dropped' || this.#closed) return;
    const known = isServiceError(error) && outcome === undefined;
    const { logger } = this.#settings;
    logger[known ? 'debug' : 'warn']('An image is not served from the cache.', {
      imageId,
      ...(outcome !== undefined && { outcome }),
      error,
    });
  }
}
