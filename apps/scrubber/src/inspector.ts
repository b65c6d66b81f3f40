import { type ImageLocation, isServiceError } from '@glance/domain';
import type { CacheDirectory, Holding, Store, Stores, Trash } from '@glance/store';

/** What a plan may ask of one store, of the staging area, or of the image cache: nothing that changes anything. */
export interface InspectedPlace {
  readonly id: string;
  ids(signal: AbortSignal): AsyncIterable<string>;
  holding(id: string, signal: AbortSignal): Promise<Holding | undefined>;
}

export interface InspectedStore extends InspectedPlace {
  trash(signal: AbortSignal): AsyncIterable<Trash>;
}

/** What a plan may ask of all of them. */
export interface Inspector {
  /** Those that can hold something of ours. */
  readonly stores: readonly InspectedStore[];
  /** Undefined where this host has none. */
  readonly staging: InspectedPlace | undefined;
  readonly cache: InspectedPlace | undefined;
  /** The store of a location; undefined if it is not one of `stores`. */
  keeperOf(location: ImageLocation): string | undefined;
  /** Whether the data of a location is there. */
  has(location: ImageLocation, signal: AbortSignal): Promise<boolean>;
}

/** Looks at stores and a cache, which need not be open. */
export function inspectorOf(
  stores: Stores,
  staging?: Store,
  cache?: Pick<CacheDirectory, 'ids' | 'holding'>,
): Inspector {
  const place = (id: string, store: Store): InspectedStore => ({
    id,
    ids: (signal) => store.ids(signal),
    holding: (image, signal) => store.holding(image, signal),
    trash: (signal) => store.trash(signal),
  });
  return {
    stores: stores.ids.filter((id) => stores.get(id).capabilities.delete).map((id) => place(id, stores.get(id))),
    // One that is a store is looked at as such.
    staging: staging && !stores.ids.some((id) => stores.get(id) === staging) ? place('staging', staging) : undefined,
    cache: cache && { id: 'cache', ids: () => cache.ids(), holding: (image) => cache.holding(image) },
    keeperOf: (location) => stores.keeperOf(location),
    async has(location, signal) {
      try {
        await stores.size(location, signal);
        return true;
      } catch (error) {
        if (isServiceError(error, 'DataNotFound')) return false;
        throw error;
      }
    },
  };
}
