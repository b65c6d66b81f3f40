import type { Program } from '@glance/config';
import { startRegistry } from '@glance/registry';
import { adminOptions, openAdminPort } from '../admin-port.js';
import { messagingDeclarations, registryDeclarations } from '../config.js';
import { expose } from '../metrics/exposition.js';
import { brokerSources, registrySources } from '../metrics/sources.js';
import { runProgram } from '../program.js';
import { registryParts } from '../registry-parts.js';
import { brokerCheck, databaseChecks, remoteBroker } from '../service.js';
import { version } from '../version.js';

const program: Program = {
  name: 'glance-registry',
  version,
  summary: 'Answers what the api and the scrubber ask over the message broker; the only one that uses the database.',
  configFiles: ['glance-api', 'glance-registry'],
  declarations: [...registryDeclarations, ...messagingDeclarations, adminOptions],
};

await runProgram(program, async ({ config, log }) => {
  const broker = remoteBroker(config, log);
  if (!broker) throw new Error('[DEFAULT] transport_url is not set: nobody could reach this process.');
  const admin = await openAdminPort(config.read(adminOptions));
  const registry = await startRegistry(registryParts(config), broker, log);
  admin.started({ broker: brokerCheck(broker), ...databaseChecks(registry) });
  expose(...brokerSources(broker), ...registrySources(registry));
  log.info('Serving the registry.');
  return {
    async stop() {
      admin.stopping();
      // Other registries take the calls that come from now on.
      await broker.drain();
      await registry.close();
      await broker.close();
    },
  };
});
