import { hostname } from 'node:os';
import { cacheOptions } from '@glance/api';
import { type Config, ConfigError, type Declaration, type Program } from '@glance/config';
import { type Logger, nodeCache } from '@glance/domain';
import { type Broker, remote } from '@glance/rpc';
import { ImageCache } from '@glance/store';
import { version } from './version.js';

/** The configured cache, not opened yet; undefined if there is none. */
export function imageCache(config: Config, logger: Logger): ImageCache | undefined {
  const {
    imageCacheDir: directory,
    imageCacheMaxSize: maxSize,
    imageCacheStallTime: stall,
  } = config.read(cacheOptions);
  return directory === undefined ? undefined : new ImageCache({ directory, maxSize, stallTime: stall * 1000, logger });
}

/** A program about the cache, which reads the files of the API and its own. */
export function cacheProgram(name: string, summary: string, more: readonly Declaration[] = []): Program {
  const configFiles = ['glance-api', 'glance-cache'];
  return { name, version, summary, configFiles, declarations: [cacheOptions, ...more] };
}

/** The configured cache, for programs that are about it. */
export function configuredCache(config: Config, logger: Logger): ImageCache {
  const cache = imageCache(config, logger);
  if (!cache) throw new ConfigError(['[DEFAULT] image_cache_dir is not set: there is no image cache']);
  return cache;
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
  if (node !== null) {
    await broker.serve(nodeCache(node), {
      async drop(id) {
        await cache.remove(id);
      },
    });
  }
  return { images: cache, node, tell: (url: string, id: string) => remote(nodeCache(url), broker).drop(id) };
}
