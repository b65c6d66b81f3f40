import { cacheProgram, configuredCache } from '../cache.js';
import { runProgram } from '../program.js';

await runProgram(
  cacheProgram('glance-cache-cleaner', 'Removes what dead processes, and Glance itself, have left in the image cache.'),
  async ({ config, log }) => {
    const { files, bytes } = await configuredCache(config, log).directory.clean();
    process.stdout.write(`${files} files, ${bytes} bytes removed\n`);
    return 0;
  },
);
