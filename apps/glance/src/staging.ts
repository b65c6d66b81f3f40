import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { hostDeclarations, type StagingPlace } from '@glance/api';
import { type Config, ConfigError, declare, text } from '@glance/config';
import type { Logger } from '@glance/domain';
import { drivers, ownDirectory, Store, type Stores } from '@glance/store';

/** Where data waits for its import. */
const stagingOptions = declare('DEFAULT', {
  node_staging_uri: text({
    default: 'file:///tmp/staging/',
    help: 'Directory where data waits for its import, as a file URL; without enabled_backends and staging_store.',
    check: (value) => (/^file:\/\/\/./.test(value) ? undefined : 'a URL such as file:///var/lib/glance/staging'),
  }),
  staging_store: text({
    ours: true,
    help:
      'The store where data waits for its import, if not a directory of this host: one that all hosts reach lets any ' +
      'of them carry on with an import.',
  }),
});

/** Glance: with enabled_backends, the directory stands in a group that looks like a store. */
const stagingStoreOptions = declare('os_glance_staging_store', {
  filesystem_store_datadir: text({
    default: '/var/lib/glance/os_glance_staging_store',
    help: 'Directory where data waits for its import, with enabled_backends.',
  }),
});

/** The declarations that programs read for `stagingPlace`, besides those of the api. */
export const stagingDeclarations = [stagingOptions, stagingStoreOptions] as const;

/** The configured staging area, not opened yet. */
export async function stagingPlace(config: Config, stores: Stores): Promise<StagingPlace> {
  const { nodeStagingUri, stagingStore } = config.read(stagingOptions);
  if (stagingStore !== undefined) {
    if (!stores.ids.includes(stagingStore)) {
      throw new ConfigError([`[DEFAULT] staging_store must be one of ${stores.ids.join(', ')}`]);
    }
    return { host: null, store: stores.get(stagingStore), scratchDirectory: join(tmpdir(), 'glance-scratch') };
  }
  const directory = stores.named
    ? config.read(stagingStoreOptions).filesystemStoreDatadir
    : fileURLToPath(nodeStagingUri).replace(/(?<=.)\/+$/, '');
  const [api, imports] = hostDeclarations;
  const host = config.read(imports).workerSelfReferenceUrl ?? config.read(api).publicEndpoint ?? null;
  return stagingDirectory(config, directory, host);
}

/** Makes a staging area ready. One that cannot be used is told of; it fails when it is needed. */
export async function openStaging(place: StagingPlace, logger: Logger): Promise<StagingPlace> {
  await place.store.open().catch((error: unknown) => logger.error('The staging area cannot be used.', { error }));
  return place;
}

/** A staging area in a directory. */
export async function stagingDirectory(config: Config, directory: string, host: string | null): Promise<StagingPlace> {
  const { options, create } = await drivers.file();
  const store = new Store(create({ ...config.read(options), ...ownDirectory(directory) }), { name: 'staging' });
  return { host, store, scratchDirectory: join(directory, '.scratch') };
}
