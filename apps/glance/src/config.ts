import { type Declaration, declare, integer, logOptions, text } from '@glance/config';
import { apiDeclarations } from '@glance/api';
import {
  databaseOptions,
  metadefOptions,
  notificationOptions,
  policyOptions,
  protectionOptions,
  publisherOptions,
  quotaDeclarations,
  registryOptions,
  taskOptions,
} from '@glance/registry';
import { ignoredMessagingOptions, messagingOptions, rabbitOptions } from '@glance/rpc';
import { tracingOptions } from '@glance/tracing';
import { daemonOptions, orphanOptions, scrubberOptions } from '@glance/scrubber';
import { adminOptions } from './admin-port.js';
import { stagingDeclarations } from './staging.js';
import { backendOptions, namedStoreOptions, storeOptions } from './stores.js';

/** Options of the launcher, which needs no file. Its defaults keep everything on this machine. */
export const launcherOptions = declare('DEFAULT', {
  data_dir: text({ default: 'data', cli: true, ours: true, help: 'Directory of the launcher’s database and images.' }),
  bind_host: text({ default: '127.0.0.1', cli: true, help: 'Address to listen on.' }),
  bind_port: integer({ default: 9292, min: 0, max: 65535, cli: true, help: 'Port to listen on.' }),
});

/** How `glance-api` runs as a process. */
export const processOptions = declare('DEFAULT', {
  workers: integer({
    min: 0,
    help: 'Processes that serve requests; 0 and 1 mean one. By default one for each processor, but with SQLite one.',
  }),
});

/** What every program that talks to another reads. */
export const messagingDeclarations: readonly Declaration[] = [messagingOptions, rabbitOptions, ignoredMessagingOptions];
export const registryDeclarations: readonly Declaration[] = [
  databaseOptions,
  registryOptions,
  taskOptions,
  ...quotaDeclarations,
  metadefOptions,
  policyOptions,
  protectionOptions,
  notificationOptions,
  publisherOptions,
];

/** Every option of every program, for the sample file and the reference page. */
export const declarations: readonly Declaration[] = [
  logOptions,
  tracingOptions,
  processOptions,
  adminOptions,
  ...apiDeclarations,
  ...registryDeclarations,
  scrubberOptions,
  daemonOptions,
  orphanOptions,
  storeOptions,
  backendOptions,
  namedStoreOptions,
  ...stagingDeclarations,
  ...messagingDeclarations,
];
