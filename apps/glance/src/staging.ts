import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { hostDeclarations, type StagingPlace } from '@glance/api';
import { type Config, ConfigError, declare, text } from '@glance/config';
import { type Finding, isServiceError, type Logger } from '@glance/domain';
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
  const { stagingStore } = config.read(stagingOptions);
  if (stagingStore !== undefined) {
    if (!stores.ids.includes(stagingStore)) {
      throw new ConfigError([`[DEFAULT] staging_store must be one of ${stores.ids.join(', ')}`]);
    }
    return { host: null, store: stores.get(stagingStore), scratchDirectory: join(tmpdir(), 'glance-scratch') };
  }
  const { directory } = directoryOf(config, stores);
  const [api, imports] = hostDeclarations;
  const host = config.read(imports).workerSelfReferenceUrl ?? config.read(api).publicEndpoint ?? null;
  return stagingDirectory(config, directory, host);
}

/** Where data waits that is in no store, and which option says so. */
function directoryOf(config: Config, stores: Stores): { readonly directory: string; readonly option: string } {
  if (stores.named) {
    const option = '[os_glance_staging_store] filesystem_store_datadir';
    return { directory: config.read(stagingStoreOptions).filesystemStoreDatadir, option };
  }
  const { nodeStagingUri } = config.read(stagingOptions);
  return { directory: fileURLToPath(nodeStagingUri).replace(/(?<=.)\/+$/, ''), option: '[DEFAULT] node_staging_uri' };
}

/** Whether data can wait in the staging area; one in a store is looked at with that. */
export async function* examineStaging(config: Config, stores: Stores): AsyncIterable<Finding> {
  if (config.read(stagingOptions).stagingStore !== undefined) return;
  const { store } = await stagingPlace(config, stores);
  const { directory, option } = directoryOf(config, stores);
  const fact = `data can wait in ${directory}`;
  try {
    await store.open();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const remedy = `install --directory --owner glance --group glance --mode 0750 ${directory}`;
    yield { fact, problem: `${option}: ${directory} is no directory that can be written to`, remedy };
    return;
  }
  const { available, total } = (await store.capacity())!;
  const free = `${(available / 2 ** 30).toFixed(1)} GiB of ${(total / 2 ** 30).toFixed(1)} GiB are free`;
  // The share at which stores are told to be nearly full, too.
  const full = available < total / 10;
  yield {
    fact: `${fact}, where ${free}`,
    ...(full && {
      problem: `${option}: in ${directory} only ${free}`,
      remedy: `du --human-readable ${directory}\ndf ${directory}`,
    }),
  };
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
