import cluster from 'node:cluster';
import { apiDeclarations, readApiSettings } from '@glance/api';
import type { Program } from '@glance/config';
import { databaseOptions } from '@glance/registry';
import { inProcess } from '@glance/rpc';
import { scrubberOptions } from '@glance/scrubber';
import { adminOptions } from '../admin-port.js';
import { messagingDeclarations, processOptions, registryDeclarations } from '../config.js';
import { answerForMetrics } from '../metrics/exposition.js';
import { type Context, runProgram, type Running } from '../program.js';
import { remoteBroker, startService } from '../service.js';
import { openStaging, stagingDeclarations, stagingPlace } from '../staging.js';
import { openStores, storePlaces } from '../stores.js';
import { version } from '../version.js';
import { showLife, startWorkers, workerCount } from '../workers.js';

const program: Program = {
  name: 'glance-api',
  version,
  summary: 'Serves the image API. Without a transport_url the registry runs in this process, on [database] connection.',
  configFiles: ['glance-image-import', 'glance-api'],
  declarations: [
    ...apiDeclarations,
    ...registryDeclarations,
    ...messagingDeclarations,
    scrubberOptions,
    ...stagingDeclarations,
    adminOptions,
    processOptions,
  ],
};

async function body(context: Context): Promise<Running> {
  const { config, log } = context;
  const count = workerCount(config.read(processOptions).workers, config.read(databaseOptions));
  if (cluster.isPrimary && count > 1) return startWorkers(count, log);
  if (cluster.isWorker) {
    showLife();
    answerForMetrics();
  }
  return serve(context);
}

async function serve({ config, log }: Context): Promise<Running> {
  const api = readApiSettings(config);
  const remote = remoteBroker(config, log);
  const stores = await openStores(config, log);
  const service = await startService({
    config,
    logger: log,
    api,
    ...(!remote && { database: config.read(databaseOptions) }),
    broker: remote ?? inProcess(log),
    stores,
    staging: await openStaging(await stagingPlace(config, stores), log),
    scrub: 'abandoned',
  });
  log.info(`Listening on ${service.url}.`);
  if (!api.flavor?.startsWith('keystone')) {
    log.warn('There is no authentication: whoever reaches this address is an administrator.');
  }
  return service;
}

await runProgram(program, body, { more: storePlaces, warn: true });
