import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CACHING,
  IMAGES,
  type Images,
  type Logger,
  MEMBERS,
  type Members,
  METADEFS,
  SCRUBBING,
  silentLogger,
  TASKS,
  type Tasks,
  unauthenticatedCaller,
} from '@glance/domain';
import { manage, type RegistrySettings, startRegistry } from '@glance/registry';
import { inProcess, remote } from '@glance/rpc';
import { ImageCache, Store, Stores } from '@glance/store';
import type { ApiSettings } from '../config.js';
import type { Identity } from '../identity/identity.js';
import { type RunningApi, startApi } from '../start-api.js';
import { type Answer, http, type Request } from './http-client.js';
import { MemoryDriver } from './memory-driver.js';
import { testSettings } from './settings.js';

/** Believes whoever says which project he is of, in a header; who says nothing is an administrator. */
const headerIdentity: Identity = {
  identify(request) {
    const project = request.headers['x-project'];
    if (typeof project !== 'string') return unauthenticatedCaller(request.id);
    return { ...unauthenticatedCaller(request.id), projectId: project, userId: 'u', roles: ['member', 'reader'] };
  },
};

export interface TestService {
  readonly api: RunningApi;
  readonly driver: MemoryDriver;
  /** All stores, by their names. */
  readonly drivers: Readonly<Record<string, MemoryDriver>>;
  /** The registry as the api sees it; a test may put its own methods in. */
  readonly images: Images;
  readonly tasks: Tasks;
  /** Where data waits for its import. */
  readonly staging: MemoryDriver;
  /** Directory of what imports and conversions make on their way. */
  readonly scratch: string;
  ask(method: string, path: string, options?: Request): Promise<Answer>;
  /** Creates an image and answers with its path. */
  create(body?: Record<string, unknown>): Promise<string>;
  /** Creates a raw image with these bytes. */
  upload(bytes: Uint8Array | string): Promise<string>;
  show(path: string): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export interface ServiceChanges {
  readonly settings?: Partial<ApiSettings>;
  readonly registry?: Partial<RegistrySettings>;
  readonly logger?: Logger;
  readonly identity?: Identity;
  /** Names of further stores: then all of them have names that clients know. */
  readonly stores?: readonly string[];
  /** With a cache, in bytes. */
  readonly cache?: { readonly maxSize: number };
  /** By the names of stores. */
  readonly weights?: Readonly<Record<string, number>>;
}

/** An api with a registry on an empty database and one store in memory, or several. */
export async function startService(changes: ServiceChanges = {}): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), 'glance-api-'));
  const database = {
    connection: `sqlite:///${join(folder, 'glance.sqlite')}`,
    maxPoolSize: 5,
    maxOverflow: 50,
    connectionRecycleTime: 3600,
    maxRetries: 0,
    retryInterval: 0,
    mysqlSqlMode: 'TRADITIONAL',
  };
  const connection = await manage.connect(database);
  await manage.syncDatabase(connection);
  await connection.close();
  const broker = inProcess();
  const settings: RegistrySettings = {
    imagePropertyQuota: 128,
    imageTagQuota: 128,
    imageLocationQuota: 10,
    imageMemberQuota: 128,
    imageSizeCap: 1_099_511_627_776,
    delayedDelete: false,
    scrubTime: 0,
    metadataEncryptionKey: undefined,
    checkDefinedProperties: false,
    uploadLeaseTime: 60,
    taskTimeToLive: 48,
    taskLeaseTime: 20,
    tasksPerProject: 8,
    ...changes.registry,
  };
  const registry = await startRegistry({ database, registry: settings }, broker);
  const images: Images = { ...remote(IMAGES, broker) };
  const tasks: Tasks = { ...remote(TASKS, broker) };
  const staging = new MemoryDriver();
  const scratch = join(folder, 'scratch');
  const members: Members = remote(MEMBERS, broker);
  const driver = new MemoryDriver();
  const others = (changes.stores ?? []).map((id) => [id, new MemoryDriver()] as const);
  const drivers: Readonly<Record<string, MemoryDriver>> = { memory: driver, ...Object.fromEntries(others) };
  const stores = new Stores(
    Object.entries(drivers).map(([id, each]) => ({
      id,
      store: new Store(each),
      schemes: ['memory'],
      weight: changes.weights?.[id] ?? 0,
      details: { type: 'memory', properties: { chunk_size: 65536 } },
    })),
    { defaultId: 'memory', named: others.length > 0 },
  );
  const cache = changes.cache
    ? new ImageCache({
        directory: join(folder, 'cache'),
        maxSize: changes.cache.maxSize,
        stallTime: 60_000,
        logger: silentLogger,
      })
    : undefined;
  await cache?.open();
  const api = await startApi(testSettings(changes.settings), {
    images,
    members,
    metadefs: remote(METADEFS, broker),
    scrubbing: remote(SCRUBBING, broker),
    caching: remote(CACHING, broker),
    ...(cache && { cache: { images: cache, node: 'http://here', tell: async () => undefined } }),
    tasks,
    staging: { host: null, store: new Store(staging), scratchDirectory: scratch },
    stores,
    logger: changes.logger ?? silentLogger,
    identity: changes.identity ?? headerIdentity,
  });

  const ask = (method: string, path: string, options?: Request): Promise<Answer> =>
    http(method, api.url + path, options);
  const create = async (body: Record<string, unknown> = {}): Promise<string> =>
    (await ask('POST', '/v2/images', { body })).json<{ self: string }>().self;
  return {
    api,
    driver,
    drivers,
    images,
    tasks,
    staging,
    scratch,
    ask,
    create,
    async upload(bytes) {
      const path = await create({ disk_format: 'raw', container_format: 'bare' });
      await ask('PUT', `${path}/file`, { headers: { 'content-type': 'application/octet-stream' }, body: bytes });
      return path;
    },
    show: async (path) => (await ask('GET', path)).json(),
    async close() {
      await api.close();
      await registry.close();
      await rm(folder, { recursive: true });
    },
  };
}
