import { type Config, ConfigError, declare, dict, integer, list, type Placed, text } from '@glance/config';
import { type Finding, isServiceError, type Logger } from '@glance/domain';
import {
  type ConfiguredStore,
  type DriverName,
  drivers,
  isDriverName,
  ownDirectory,
  Store,
  type StoreDriver,
  type StoreDriverModule,
  Stores,
} from '@glance/store';

/** Which stores there are. */
export const storeOptions = declare('glance_store', {
  stores: list({
    default: ['file', 'http'],
    help: 'Kinds of stores that images may lie in, without enabled_backends.',
  }),
  default_store: text({ default: 'file', help: 'The kind of store that takes new images, without enabled_backends.' }),
  default_backend: text({ help: 'The store of enabled_backends that takes images for which clients name none.' }),
});

/** Several stores, each with a name that clients know. */
export const backendOptions = declare('DEFAULT', {
  enabled_backends: dict({
    default: {},
    help: 'Several stores as name:kind pairs, such as fast:file,ceph:rbd. Each has its options in a group of its name.',
  }),
});

/** What every one of several stores has, whatever its kind. */
export const namedStoreOptions = declare('glance_store', {
  store_description: text({ help: 'What clients are told about a store of enabled_backends.' }),
  weight: integer({
    default: 0,
    help: 'Of the copies of an image, the one in the store with the highest weight is read first, and shown first.',
  }),
});

/** Kinds that Glance once had: files that name one must be changed, for their images cannot be reached. */
const gone: Readonly<Record<string, string>> = {
  sheepdog:
    'Glance has had no Sheepdog driver since Ussuri (2020), and Sheepdog itself is abandoned; move to rbd or file',
  gridfs: 'Glance has had no GridFS driver since Mitaka (2016); move to s3 or file',
};

/** Glance: the staging area and the like look like stores in its files, and are none of clients'. */
const reserved = /^os_glance_/;

interface Plan {
  readonly id: string;
  readonly kind: DriverName;
  /** Where its options are, if not in `[glance_store]`. */
  readonly place: { readonly group: string; readonly fallback: string } | undefined;
}

interface Plans {
  readonly plans: readonly Plan[];
  readonly defaultId: string;
  readonly named: boolean;
}

/** Glance: files written before Ocata name classes, `glance.store.filesystem.Store`; others say `filesystem` or `vmware_datastore`. */
function kindOf(name: string): string {
  const kind = /^glance(?:_store)?\.(?:store|_drivers)\.(\w+)\.Store$/.exec(name)?.[1] ?? name;
  return aliases[kind] ?? kind;
}

const aliases: Readonly<Record<string, string>> = { filesystem: 'file', vmware_datastore: 'vmware' };

function plan(config: Config): Plans {
  const { enabledBackends } = config.read(backendOptions);
  const { stores, defaultStore, defaultBackend } = config.read(storeOptions);
  const named = Object.keys(enabledBackends).length > 0;
  const wanted = named
    ? Object.entries(enabledBackends).map(([id, kind]) => ({ id, kind: kindOf(kind) }))
    : [...new Set([...stores, defaultStore].map(kindOf))].map((kind) => ({ id: kind, kind }));
  const defaultId = named ? defaultBackend : kindOf(defaultStore);
  const source = named ? '[DEFAULT] enabled_backends' : '[glance_store] stores, default_store';
  const plans = wanted.flatMap(({ id, kind }): Plan[] =>
    isDriverName(kind) ? [{ id, kind, place: named ? { group: id, fallback: 'backend_defaults' } : undefined }] : [],
  );
  const kinds = Object.keys(drivers).join(', ');
  const problems = [
    ...wanted
      .filter(({ kind }) => !isDriverName(kind))
      .map(({ kind }) => `${source}: ${gone[kind] ?? `there is no kind of store ${kind}; there is ${kinds}`}`),
    ...wanted
      .filter(({ id }) => named && reserved.test(id))
      .map(({ id }) => `${source}: ${id} is a reserved name; choose one that does not begin with os_glance_`),
    ...(plans.some(({ id }) => id === defaultId)
      ? []
      : [`[glance_store] ${named ? 'default_backend' : 'default_store'} must be one of ${idsOf(plans)}`]),
  ];
  if (problems.length > 0 || defaultId === undefined) throw new ConfigError(problems);
  return { plans, defaultId, named };
}

const idsOf = (plans: readonly Plan[]): string => plans.map(({ id }) => id).join(', ');

/** Where the configured stores have their options: for `load`, so that wrong ones are told at the start. */
export async function storePlaces(config: Config): Promise<Placed[]> {
  const { plans } = plan(config);
  const own = await Promise.all(
    plans.map(async ({ kind, place = {} }) => {
      const { options }: StoreDriverModule = await drivers[kind]();
      return [options, namedStoreOptions].map((declaration) => ({ declaration, ...place }));
    }),
  );
  return [{ declaration: storeOptions }, { declaration: backendOptions }, ...own.flat()];
}

/** What is found at the configured stores, or at those of one kind; `of` is the id of the store. */
export async function* examineStores(config: Config, only?: string): AsyncIterable<Finding & { readonly of: string }> {
  const plans = plan(config).plans.filter(({ kind }) => only === undefined || kind === only);
  if (plans.length === 0) yield { of: 'stores', fact: '', problem: `no store of the kind ${only} is configured` };
  for (const { id, kind, place } of plans) {
    const driver: StoreDriverModule = await drivers[kind]();
    const settings: Readonly<Record<string, unknown>> = config.read(driver.options, place);
    const of = `store ${id}`;
    for await (const finding of driver.examine?.(settings) ?? opening(driver.create(settings, place?.group)))
      yield { of, ...finding };
  }
}

async function* opening(driver: StoreDriver): AsyncIterable<Finding> {
  const fact = 'it can be used';
  try {
    await new Store(driver).open();
    yield { fact };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    yield { fact, problem: error.message };
  } finally {
    await driver.close();
  }
}

/** Opens the configured stores. One that is away fails when it is used, until it is there again. */
export async function openStores(config: Config, logger: Logger): Promise<Stores> {
  const stores = await configuredStores(config, logger);
  await stores.open((id, error) => logger.error(`The store ${id} cannot be used yet.`, { error }));
  return stores;
}

/** The configured stores, not opened: nothing is tried or made in them before they are used. */
export async function configuredStores(config: Config, logger: Logger): Promise<Stores> {
  const { plans, defaultId, named } = plan(config);
  const apart: { id: string; place: string }[] = [];
  const configured = await Promise.all(
    plans.map(async ({ id, kind, place }): Promise<ConfiguredStore[]> => {
      const driver: StoreDriverModule = await drivers[kind]();
      const settings: Readonly<Record<string, unknown>> = config.read(driver.options, place);
      apart.push({ id, place: JSON.stringify([kind, ...places.map((name) => settings[name])]) });
      let store: Store;
      try {
        store = new Store(driver.create(settings, place?.group), { name: id });
      } catch (error) {
        // Glance: files of its earlier versions list every kind in `stores`, whether or not there is such a store.
        if (named || id === defaultId || !isServiceError(error)) throw error;
        logger.warn(`The store ${id} is left out: ${error.message}`);
        return [];
      }
      const { storeDescription: description, weight } = config.read(namedStoreOptions, place);
      const details = { type: kind, properties: driver.properties(settings) };
      const facts = named && { weight, ...(description !== undefined && { description }) };
      return [{ id, schemes: driver.schemes, store, details, ...facts }];
    }),
  );
  assertApart(apart);
  return new Stores(configured.flat(), { defaultId, named });
}

/** Two stores in one place would each take the other's copy of an image for what a dead process has left. */
function assertApart(stores: readonly { readonly id: string; readonly place: string }[]): void {
  for (const [index, { id, place }] of stores.entries()) {
    const other = stores.slice(0, index).find((each) => each.place === place);
    if (other) throw new ConfigError([`[${other.id}] and [${id}] are the same place; stores must lie apart`]);
  }
}

/** The options that say where a store is. */
const places = [
  'filesystemStoreDatadir',
  'filesystemStoreDatadirs',
  'rbdStoreCephConf',
  'rbdStorePool',
  's3StoreHost',
  's3StoreBucket',
  'swiftStoreAuthAddress',
  'swiftStoreConfigFile',
  'defaultSwiftReference',
  'swiftStoreContainer',
  'cinderStoreAuthAddress',
  'cinderStoreProjectName',
  'cinderStoreApplicationCredentialId',
  'cinderVolumeType',
  'vmwareServerHost',
  'vmwareDatastores',
  'vmwareStoreImageDir',
];

/** Opens one store of files, in `directory`, for the launcher. */
export async function openFileStore(config: Config, directory: string): Promise<Stores> {
  const { schemes, options, create } = await drivers.file();
  const store = new Store(create({ ...config.read(options), ...ownDirectory(directory) }), { name: 'file' });
  const stores = new Stores([{ id: 'file', schemes, store }], { defaultId: 'file' });
  await store.open();
  return stores;
}
