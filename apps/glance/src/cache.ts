import { hostname } from 'node:os';
import { cacheOptions } from '@glance/api';
import type { Config } from '@glance/config';
import { type Logger, nodeCache } from '@glance/domain';
import { type Broker, remote } from '@glance/rpc';
import { ImageCache } from '@glance/store';

/** The configured cache, not opened yet; undefined if there is none. */
export function imageCache(config: Config, logger: Logger): ImageCache | undefined {
  const {
    imageCacheDir: directory,
    imageCacheMaxSize: maxSize,
    imageCacheStallTime: stall,
  } = config.read(cacheOptions);
  return directory === undefined ? undefined : new ImageCache({ directory, maxSize, stallTime: stall * 1000, logger });
}

/** Under which other hosts find the cache of this one; null where they do not. */
export function cacheNode(
  config: Config,
  {
    workerSelfReferenceUrl,
    bindPort,
  }: { readonly workerSelfReferenceUrl?: string | undefined; readonly bindPort: number },
): string | null {
  if (config.read(cacheOptions).imageCacheDriver !== 'centralized_db') return null;
  return workerSelfReferenceUrl ?? `http://${hostname()}:${bindPort}`;
}

/** Opens it, and lets other hosts tell it which images are not to be served any more. */
export async function openCache(cache: ImageCache, node: string | null, broker: Broker, logger: Logger) {
  await cache.open().catch((error: unknown) => {
    logger.error('The image cache cannot be used: images come from their stores.', { error });
  });
  if (node !== null) await broker.serve(nodeCache(node), { drop: async (id) => void (await cache.remove(id)) });
  return { images: cache, node, tell: (url: string, id: string) => remote(nodeCache(url), broker).drop(id) };
}
