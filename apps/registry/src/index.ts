export {
  policyOptions,
  protectionOptions,
  readAuthorizationSettings,
  type AuthorizationSettings,
} from './authorization/authorization-options.js';
export type { WaitingWork } from './waiting-work.js';
export {
  databaseOptions,
  metadefOptions,
  registryOptions,
  taskOptions,
  type DatabaseSettings,
  type RegistrySettings,
} from './config.js';
export {
  notificationOptions,
  notificationSettings,
  publisherOptions,
  type NotificationSettings,
} from './notifications/config.js';
export { limitAccount } from './quotas/keystone-limits.js';
export { quotaDeclarations, readQuotaSettings } from './quotas/quota-options.js';
export * as manage from './manage.js';
export { startRegistry, type Registry, type RegistryParts } from './start-registry.js';
