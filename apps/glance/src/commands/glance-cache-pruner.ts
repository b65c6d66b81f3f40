import { cacheProgram, configuredCache } from '../cache.js';
import { runProgram } from '../program.js';

await runProgram(
  cacheProgram(
    'glance-cache-pruner',
    'Removes what was not used for longest from the image cache, until the rest fits.',
  ),
  async ({ config, log }) => {
    const cache = configuredCache(config, log);
    await cache.directory.open();
    const { files, bytes } = await cache.prune();
    process.stdout.write(`${files} images, ${bytes} bytes removed\n`);
    return 0;
  },
);
