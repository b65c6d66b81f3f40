import { setTimeout as delay } from 'node:timers/promises';
import { type ApiSettings, type StagingPlace, startApi } from '@glance/api';
import type { Config } from '@glance/config';
import { CACHING, IMAGES, type Logger, MEMBERS, METADEFS, SCRUBBING, TASKS } from '@glance/domain';
import { type DatabaseSettings, type Registry, startRegistry } from '@glance/registry';
import {
  type Broker,
  messagingOptions,
  parseTransportUrl,
  rabbitBroker,
  rabbitOptions,
  rabbitSettings,
  type RabbitSettings,
  remote,
} from '@glance/rpc';
import { type ScrubberParts, scrubberOptions, startScrubber } from '@glance/scrubber';
import type { Stores } from '@glance/store';
import { adminOptions, openAdminPort } from './admin-port.js';
import type { Check } from './asker.js';
import { cacheNode, imageCache, openCache } from './cache.js';
import { expose } from './metrics/exposition.js';
import { brokerSources, cacheSource, registrySources, storeSource } from './metrics/sources.js';
import type { Running } from './program.js';
import { registryParts } from './registry-parts.js';
import { seldom } from './seldom.js';

/** How to reach the broker of `transport_url`; undefined when calls are to stay in this process. */
export function brokerSettings(config: Config): RabbitSettings | undefined {
  const messaging = config.read(messagingOptions);
  if (messaging.transportUrl === undefined) return undefined;
  const url = parseTransportUrl(messaging.transportUrl);
  return url.transport === 'fake' ? undefined : rabbitSettings(url, messaging, config.read(rabbitOptions));
}

/** The broker of `transport_url`; undefined when calls are to stay in this process. */
export function remoteBroker(config: Config, logger: Logger): Broker | undefined {
  const settings = brokerSettings(config);
  return settings && rabbitBroker(settings, logger);
}

/** Whether calls travel. */
export function brokerCheck(broker: Broker): Check {
  return async () => {
    const { ready, connection } = broker.status();
    if (!ready) throw new Error(connection === 'connected' ? 'not all calls are taken' : `it is ${connection}`);
  };
}

/** What a registry needs. A look at the whole schema is many statements. */
export function databaseChecks(registry: Registry): Readonly<Record<string, Check>> {
  return { database: () => registry.check(), schema: seldom(60_000, () => registry.checkSchema()) };
}

/** What a process needs that asks the registry, itself if `registry` runs in it, and stores. */
export function serviceChecks(
  broker: Broker,
  registry: Registry | undefined,
  stores: Stores,
): Readonly<Record<string, Check>> {
  return {
    broker: brokerCheck(broker),
    async registry() {
      if (!(await broker.reaches(IMAGES))) throw new Error('none takes calls');
    },
    store: seldom(10_000, () => stores.get(stores.defaultId).check()),
    ...(registry && databaseChecks(registry)),
  };
}

/** Measures what a process asks, as in `serviceChecks`. */
export function exposeService(broker: Broker, registry: Registry | undefined, stores: Stores): void {
  expose(...brokerSources(broker), storeSource(stores), ...(registry ? registrySources(registry) : []));
}

export interface ServiceParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly api: ApiSettings;
  /** Absent: the registry runs elsewhere and is reached by `broker`. */
  readonly database?: DatabaseSettings;
  readonly broker: Broker;
  readonly stores: Stores;
  readonly staging: StagingPlace;
  /** What this process finishes for others: `abandoned` work, or `all` that is due. */
  readonly scrub: ScrubberParts['scope'];
}

export interface RunningService extends Running {
  /** Where the api listens. */
  readonly url: string;
}

/** Starts an api, the registry unless it runs elsewhere, and the search for work that a dead process left. */
export async function startService(parts: ServiceParts): Promise<RunningService> {
  const { config, logger, api, database, broker, stores, staging, scrub } = parts;
  const admin = await openAdminPort(config.read(adminOptions));
  const registry = database && (await startRegistry(registryParts(config, database), broker, logger));
  const images = remote(IMAGES, broker);
  const members = remote(MEMBERS, broker);
  const metadefs = remote(METADEFS, broker);
  const tasks = remote(TASKS, broker);
  const { recoveryInterval, scrubPoolSize: poolSize } = config.read(scrubberOptions);
  const scrubbing = remote(SCRUBBING, broker);
  const work = { images, tasks, registry: scrubbing, stores, logger, poolSize, scope: scrub };
  const scrubber = await startScrubber(recoveryInterval * 1000, work);
  const close = async (): Promise<void> => {
    await scrubber.close();
    await registry?.close();
    await broker.close();
    await stores.close();
  };
  const facts = { images, members, metadefs, tasks, scrubbing, caching: remote(CACHING, broker) };
  const found = imageCache(config, logger);
  const cache = found && (await openCache(found, cacheNode(config, api), broker, logger));
  const running = await startApi(api, { ...facts, stores, staging, logger, ...(cache && { cache }) }).catch(
    async (error: unknown) => {
      // What goes on working would keep a process alive that serves nobody.
      await close();
      throw error;
    },
  );
  admin.started(serviceChecks(broker, registry, stores));
  exposeService(broker, registry, stores);
  if (found) expose(cacheSource(found));
  return {
    url: running.url,
    async stop() {
      admin.stopping();
      running.announceStop();
      await delay(api.shutdownNotice * 1000);
      const drained = await running.drain(api.shutdownGrace * 1000);
      if (!drained) logger.warn('Transfers were still running when the grace time was over.');
      await running.close();
      await close();
    },
  };
}
