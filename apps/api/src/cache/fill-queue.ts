import type { Caching, Logger } from '@glance/domain';
import type { Fetch, ImageCache, Stores } from '@glance/store';

export interface QueueParts {
  readonly cache: ImageCache;
  readonly caching: Caching;
  readonly stores: Stores;
  readonly logger: Logger;
}

/**
 * Brings the images that wait in the queue into the cache, one after the other, and answers with how many came in, and how
 * many did not: these stay in the queue, unless nobody could download them any more.
 */
export async function fillFromQueue({ cache, caching, stores, logger }: QueueParts, signal: AbortSignal) {
  const tried = new Set<string>();
  const counts = { cached: 0, failed: 0 };
  for (;;) {
    const id = (await cache.directory.queue()).find((each) => !tried.has(each));
    if (id === undefined || signal.aborted) return counts;
    tried.add(id);
    try {
      const source = await caching.source(id);
      const cached = source !== undefined && (await cache.prefetch(source.image, fetching(stores, source.locations)));
      if (cached || source === undefined) await cache.directory.dequeue(id);
      counts[cached ? 'cached' : 'failed']++;
      if (!cached) logger.warn('An image could not be brought into the cache.', { imageId: id });
    } catch (error) {
      counts.failed++;
      logger.warn('An image could not be brought into the cache.', { imageId: id, error });
    }
  }
}

function fetching(stores: Stores, locations: Parameters<Stores['openRead']>[0]): Fetch {
  return (part, signal) => stores.openRead(locations, { ...part, signal });
}
