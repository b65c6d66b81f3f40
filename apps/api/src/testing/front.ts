import {
  type Caching,
  type Images,
  type Logger,
  type Members,
  type Metadefs,
  type Scrubbing,
  ServiceError,
  silentLogger,
  type Tasks,
} from '@glance/domain';
import { Store, Stores } from '@glance/store';
import type { ApiSettings } from '../config.js';
import type { Identity } from '../identity/identity.js';
import { type RunningApi, startApi } from '../start-api.js';
import { MemoryDriver } from './memory-driver.js';
import { testSettings } from './settings.js';

/** The path of an image, as good as any. */
export const imagePath = '/v2/images/6d7a3a44-6f4f-4f22-9f6b-0d5c3a1f0001';

/** What a registry without images says. */
export const nothing = async (): Promise<never> => {
  throw new ServiceError('NotFound', 'No image <b>"x"</b> & co.');
};

const none = async (): Promise<readonly never[]> => [];

export interface FrontParts {
  readonly settings?: Partial<ApiSettings>;
  /** What the registry does, whatever it is asked. */
  readonly registry?: () => Promise<never>;
  readonly logger?: Logger;
  readonly identity?: Identity;
}

/** An api without stores, in front of a registry that has one answer. */
export function startFront({
  settings,
  registry = nothing,
  logger = silentLogger,
  identity,
}: FrontParts = {}): Promise<RunningApi> {
  const images = { show: registry, create: registry, beginDownload: registry } as unknown as Images;
  const stores = new Stores([], { defaultId: 'none' });
  return startApi(testSettings(settings), {
    images,
    members: {} as Members,
    metadefs: {} as Metadefs,
    tasks: { claim: none, abandonedStaging: none } as unknown as Tasks,
    scrubbing: {} as Scrubbing,
    caching: {} as Caching,
    stores,
    staging: { host: null, store: new Store(new MemoryDriver()), scratchDirectory: '/nonexistent' },
    logger,
    ...(identity && { identity }),
  });
}
