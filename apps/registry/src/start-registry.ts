import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import {
  CACHING,
  type Caching,
  IMAGES,
  type Images,
  type Logger,
  MEMBERS,
  type Members,
  METADEFS,
  type Metadefs,
  SCRUBBING,
  type Scrubbing,
  silentLogger,
  TASKS,
  type Tasks,
} from '@glance/domain';
import type { Broker } from '@glance/rpc';
import { authorizationBy } from './authorization/authorization-by.js';
import type { AuthorizationSettings } from './authorization/authorization-options.js';
import { type WaitingWork, waitingWorkOf } from './waiting-work.js';
import type { DatabaseSettings, RegistrySettings } from './config.js';
import { connect } from './database/connect.js';
import type { ConnectionPool } from './database/database-metrics.js';
import { LocationCipher } from './database/location-cipher.js';
import { assertUsable } from './database/schema.js';
import { assertReadable } from './images/location-rows.js';
import { type NotificationSettings, silence } from './notifications/config.js';
import { deliveryTo } from './notifications/delivery.js';
import { Outbox } from './notifications/outbox.js';
import { Relay } from './notifications/relay.js';
import { KeystoneLimits } from './quotas/keystone-limits.js';
import { ProjectQuotas } from './quotas/project-quotas.js';
import type { QuotaSettings } from './quotas/quota-options.js';
import { RegistryModule } from './registry.module.js';

/** What a registry needs to know. */
export interface RegistryParts {
  readonly database: DatabaseSettings;
  readonly registry: RegistrySettings;
  /** Absent: Glance's rules hold. */
  readonly authorization?: AuthorizationSettings;
  /** Absent: projects have no limits. */
  readonly quotas?: QuotaSettings;
  /** Absent: nobody is told of changes. */
  readonly notifications?: NotificationSettings;
}

export interface Registry {
  /** Fails with `Unavailable` if the database does not answer. */
  check(): Promise<void>;
  /** Fails with `Conflict`, and says what to do, if the schema has become one that it cannot work with. */
  checkSchema(): Promise<void>;
  /** What waits in the database, whoever is to do it. */
  waitingWork(): Promise<WaitingWork>;
  /** Undefined where there are no connections to run out of. */
  pool(): ConnectionPool | undefined;
  /** Lets running calls end, then closes the database. The broker stays open. */
  close(): Promise<void>;
}

/**
 * Connects to the database, serves `IMAGES`, `MEMBERS`, `TASKS`, `SCRUBBING`, `CACHING` and `METADEFS` on `broker`, and sends
 * notifications. Changes nothing in the schema: one that is missing or too old fails with `Conflict` and a message that
 * names the command to run. `Invalid` if locations are encrypted with another key than the one that is configured.
 */
export async function startRegistry(
  settings: RegistryParts,
  broker: Broker,
  logger: Logger = silentLogger,
): Promise<Registry> {
  const authorization = authorizationBy(settings.authorization, logger);
  const { userStorageQuota = 0, limits } = settings.quotas ?? {};
  const quotas = new ProjectQuotas(userStorageQuota, limits && new KeystoneLimits(limits));
  const database = await connect(settings.database, new LocationCipher(settings.registry.metadataEncryptionKey));
  try {
    await assertUsable(database);
    await assertReadable(database);
    const notifications = settings.notifications ?? silence;
    const outbox = new Outbox(notifications);
    const application = await NestFactory.createApplicationContext(
      RegistryModule.with(settings.registry, database, outbox, authorization, quotas),
      { logger: false, abortOnError: false },
    );
    await broker.serve(IMAGES, application.get<Images>(IMAGES.name));
    await broker.serve(MEMBERS, application.get<Members>(MEMBERS.name));
    await broker.serve(TASKS, application.get<Tasks>(TASKS.name));
    await broker.serve(SCRUBBING, application.get<Scrubbing>(SCRUBBING.name));
    await broker.serve(CACHING, application.get<Caching>(CACHING.name));
    await broker.serve(METADEFS, application.get<Metadefs>(METADEFS.name));
    const relay =
      notifications.drivers.length > 0
        ? new Relay({
            database,
            outbox,
            delivery: deliveryTo(notifications, logger),
            logger,
            retry: notifications.retry,
          })
        : undefined;
    return {
      async check() {
        await database.rows('SELECT 1');
      },
      checkSchema: () => assertUsable(database),
      waitingWork: () => waitingWorkOf(database, settings.registry.scrubTime, Date.now()),
      pool: () => database.pool?.(),
      async close() {
        await relay?.close();
        await application.close();
        quotas.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
