import type { CachedData, Caching, Logger } from '@glance/domain';
import type { CachedImage, ImageCache } from '@glance/store';

export interface CacheReportsParts {
  readonly cache: ImageCache;
  readonly caching: Caching;
  /** Under which others find this host; null: they do not. */
  readonly node: string | null;
  readonly logger: Logger;
}

/** Milliseconds after a change, and between two reports without one. */
const soon = 500;
const pace = 60_000;

/** Tells the registry what the cache has, now and then, and removes what is not to be served any more. */
export class CacheReports {
  #next: NodeJS.Timeout | undefined;
  #due = Infinity;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(private readonly parts: CacheReportsParts) {}

  /** What the cache has is otherwise than it was. */
  changed(): void {
    this.#plan(soon);
  }

  /** Reports. Whoever waits for it has the cache without what is not to be served. */
  report(): Promise<void> {
    this.#running = this.#running.then(() => this.#report());
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#next);
    await this.#running;
  }

  #plan(milliseconds: number): void {
    const due = performance.now() + milliseconds;
    if (this.#closed || due >= this.#due) return;
    clearTimeout(this.#next);
    this.#due = due;
    this.#next = setTimeout(() => {
      this.#due = Infinity;
      void this.report().finally(() => this.#plan(pace));
    }, milliseconds).unref();
  }

  async #report(): Promise<void> {
    const { cache, caching, node, logger } = this.parts;
    try {
      const entries = await cache.directory.entries();
      const cached = await Promise.all(entries.map(async (entry) => toData(entry, await cache.directory.hits(entry))));
      const stale = await caching.report(node, cached);
      for (const id of stale) await cache.remove(id);
      if (stale.length > 0) logger.info('Images that are not to be downloaded any more left the cache.', { stale });
    } catch (error) {
      logger.warn('The cache could not be compared with the records of its images.', { error });
    }
  }
}

function toData({ id, checksum, hash, size, lastAccessed, lastModified }: CachedImage, hits: number): CachedData {
  const times = { lastAccessed: Math.floor(lastAccessed), lastModified: Math.floor(lastModified) };
  return { imageId: id, checksum, hash, size, hits, ...times };
}
