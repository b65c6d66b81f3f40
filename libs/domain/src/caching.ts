import type { Caller } from './caller.js';
import { type Contract, defineContract } from './contract.js';
import type { Image } from './image.js';
import type { Download } from './images.js';

/** The rules of the cache, by the names that policy files have for them. */
export type CacheRule =
  | 'cache_list'
  | 'cache_image'
  | 'cache_delete'
  | 'cache_clean'
  | 'cache_prune'
  | 'list_cached_nodes'
  | 'manage_image_cache';

/** What a cache has of an image. */
export interface CachedData {
  readonly imageId: string;
  /** md5 of the data, hex. */
  readonly checksum: string | null;
  /** The first digits of `osHashValue`. */
  readonly hash: string | null;
  /** Bytes. */
  readonly size: number;
  readonly hits: number;
  /** Times are milliseconds of the epoch. */
  readonly lastAccessed: number;
  readonly lastModified: number;
}

/** What caches ask, and tell. */
export interface Caching {
  /** Fails with `Forbidden` unless the rule lets the caller. */
  check(caller: Caller, rule: CacheRule): Promise<void>;
  /** An image; `NotFound` if the caller does not see it, `Forbidden` unless the rule lets him act upon it. */
  image(caller: Caller, rule: CacheRule, id: string): Promise<Image>;
  /** An image that is to be put into a cache, whoever wanted that; undefined if nobody could download it. */
  source(id: string): Promise<Download | undefined>;
  /**
   * What the cache of a node has now; the node null where nobody is to find it. Answers with the ids of images whose data is
   * not to be downloaded any more, or is other than that.
   */
  report(node: string | null, cached: readonly CachedData[]): Promise<readonly string[]>;
  /** URLs of the nodes that have an image in their caches. `caller` null: whoever runs the service. */
  nodes(caller: Caller | null, id: string): Promise<readonly string[]>;
}

export const CACHING = defineContract<Caching>('caching', {
  check: { timeout: 10_000, idempotent: true },
  image: { timeout: 10_000, idempotent: true },
  source: { timeout: 10_000, idempotent: true },
  report: { timeout: 30_000, idempotent: true },
  nodes: { timeout: 10_000, idempotent: true },
});

/** The cache of one node, for the others. */
export interface NodeCache {
  /** The image is not to be served any more. */
  drop(id: string): Promise<void>;
}

/** The cache of the node with this URL. */
export function nodeCache(url: string): Contract<NodeCache> {
  return defineContract<NodeCache>(`cache.${url}`, { drop: { timeout: 5_000, idempotent: true } });
}
