import { fillFromQueue } from '@glance/api';
import { CACHING } from '@glance/domain';
import { startRegistry } from '@glance/registry';
import { inProcess, remote } from '@glance/rpc';
import { cacheProgram, configuredCache } from '../cache.js';
import { messagingDeclarations, registryDeclarations } from '../config.js';
import { type Context, runProgram } from '../program.js';
import { registryParts } from '../registry-parts.js';
import { remoteBroker } from '../service.js';
import { openStores, storePlaces } from '../stores.js';

async function prefetch({ config, log }: Context): Promise<number> {
  const cache = configuredCache(config, log);
  const far = remoteBroker(config, log);
  const broker = far ?? inProcess(log);
  const { notifications: _, ...parts } = registryParts(config);
  const registry = far ? undefined : await startRegistry(parts, broker, log);
  const stores = await openStores(config, log);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  try {
    await cache.directory.open();
    const queue = { cache, caching: remote(CACHING, broker), stores, logger: log };
    const { cached, failed } = await fillFromQueue(queue, stop.signal);
    process.stdout.write(`${cached} images cached, ${failed} failed\n`);
    return failed === 0 ? 0 : 1;
  } finally {
    await cache.close();
    await registry?.close();
    await broker.close();
    await stores.close();
  }
}

const summary = 'Brings the images that wait in the queue of the image cache into it.';
const program = cacheProgram('glance-cache-prefetcher', summary, [...registryDeclarations, ...messagingDeclarations]);

await runProgram(program, prefetch, { more: storePlaces });
