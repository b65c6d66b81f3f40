import type { Caching, Logger } from '@glance/domain';
import type { ImageCache, Removed, Stores } from '@glance/store';
import { CacheReports } from './cache-reports.js';
import { fillFromQueue } from './fill-queue.js';

export interface CachedImagesParts {
  readonly cache: ImageCache;
  readonly caching: Caching;
  readonly stores: Stores;
  readonly logger: Logger;
  /** URL of this host among those that share the database; null where they do not know of each other. */
  readonly node: string | null;
  /** Tells the cache of another node that an image is not to be served any more; it may fail. */
  readonly tell: (node: string, id: string) => Promise<void>;
}

/** The cache of this host, kept in step with the records of images and with other hosts. */
export class CachedImages {
  readonly reports: CacheReports;
  readonly #stop = new AbortController();
  #filling: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: CachedImagesParts) {
    this.reports = new CacheReports(parts);
    parts.cache.onChange = () => this.reports.changed();
    this.reports.changed();
    this.#fill();
  }

  get cache(): ImageCache {
    return this.parts.cache;
  }

  /** Brings the image into the cache, in the background. */
  async queue(id: string): Promise<void> {
    await this.cache.directory.enqueue(id);
    this.#fill();
  }

  /** Nobody may download the image any more. Here it is gone when this returns; other hosts learn of it. */
  async gone(id: string): Promise<void> {
    void this.#tellOthers(id);
    await this.cache.remove(id).catch((error: unknown) => {
      this.parts.logger.warn('An image that is gone is still in the cache.', { imageId: id, error });
    });
  }

  /** Removes what is of no use: what dead processes left, and images that are not to be downloaded any more. */
  async clean(): Promise<Removed> {
    const removed = await this.cache.directory.clean();
    await this.reports.report();
    return removed;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.cache.close();
    await Promise.all([this.#filling, this.reports.close()]);
  }

  async #tellOthers(id: string): Promise<void> {
    const { caching, node, tell, logger } = this.parts;
    if (node === null) return;
    try {
      const others = (await caching.nodes(null, id)).filter((url) => url !== node);
      await Promise.all(others.map((url) => tell(url, id)));
    } catch (error) {
      // Records are looked at before anything is served, and now and then.
      logger.debug('Not every cache could be told of an image that is gone.', { imageId: id, error });
    }
  }

  #fill(): void {
    this.#filling = this.#filling
      .then(() => fillFromQueue(this.parts, this.#stop.signal))
      .catch((error: unknown) => this.parts.logger.warn('The queue of the cache cannot be read.', { error }));
  }
}
