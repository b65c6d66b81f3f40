import type { Config } from '@glance/config';
import {
  databaseOptions,
  type DatabaseSettings,
  notificationOptions,
  notificationSettings,
  publisherOptions,
  readAuthorizationSettings,
  readQuotaSettings,
  registryOptions,
  taskOptions,
  type RegistryParts,
} from '@glance/registry';
import { messagingOptions, rabbitOptions } from '@glance/rpc';

/** What the registry reads from the configuration; `database` if it is not the one that is configured. */
export function registryParts(
  config: Config,
  database: DatabaseSettings = config.read(databaseOptions),
): RegistryParts {
  const notifications = notificationSettings(
    config.read(notificationOptions),
    config.read(publisherOptions),
    config.read(messagingOptions),
    config.read(rabbitOptions),
  );
  const authorization = readAuthorizationSettings(config);
  const registry = { ...config.read(registryOptions), ...config.read(taskOptions) };
  return { database, registry, authorization, quotas: readQuotaSettings(config), notifications };
}
