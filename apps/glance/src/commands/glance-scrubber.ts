import type { Program } from '@glance/config';
import { IMAGES } from '@glance/domain';
import { startRegistry } from '@glance/registry';
import { inProcess, remote } from '@glance/rpc';
import { daemonOptions, Scrubber, scrubberOptions, startScrubber } from '@glance/scrubber';
import { adminOptions, openAdminPort } from '../admin-port.js';
import { messagingDeclarations, registryDeclarations } from '../config.js';
import { type Context, runProgram, type Running } from '../program.js';
import { registryParts } from '../registry-parts.js';
import { remoteBroker, serviceChecks } from '../service.js';
import { openStores, storePlaces } from '../stores.js';
import { version } from '../version.js';

const program: Program = {
  name: 'glance-scrubber',
  version,
  summary:
    'Erases the data of deleted images that is due, and finishes what dead processes left; once, or as a daemon.',
  configFiles: ['glance-api', 'glance-scrubber'],
  declarations: [...registryDeclarations, ...messagingDeclarations, scrubberOptions, daemonOptions, adminOptions],
};

async function body({ config, log }: Context): Promise<Running | number> {
  const far = remoteBroker(config, log);
  const broker = far ?? inProcess(log);
  const registry = far ? undefined : await startRegistry(registryParts(config), broker, log);
  const stores = await openStores(config, log);
  const close = async (): Promise<void> => {
    await registry?.close();
    await broker.close();
    await stores.close();
  };
  const { scrubPoolSize: poolSize, wakeupTime } = config.read(scrubberOptions);
  const { daemon, restore } = config.read(daemonOptions);
  const images = remote(IMAGES, broker);
  if (restore !== undefined) {
    try {
      const { id, status, locations } = await images.restore(null, restore);
      process.stdout.write(`The image ${id} is ${status} again, with ${locations.length} location(s).\n`);
      return 0;
    } finally {
      await close();
    }
  }
  const parts = { images, stores, logger: log, poolSize, scope: 'all' } as const;

  if (daemon) {
    const admin = await openAdminPort(config.read(adminOptions));
    const scrubber = await startScrubber(wakeupTime * 1000, parts);
    admin.started(serviceChecks(broker, registry, stores));
    return {
      async stop() {
        admin.stopping();
        await scrubber.close();
        await close();
      },
    };
  }
  try {
    const report = await new Scrubber(parts).run(new AbortController().signal);
    const { deleted, undone, inUse, failed } = report;
    process.stdout.write(
      `${deleted} deleted, ${undone} interrupted uploads undone, ${inUse} in use, ${failed} failed\n`,
    );
    return failed === 0 ? 0 : 1;
  } finally {
    await close();
  }
}

await runProgram(program, body, { more: storePlaces });
