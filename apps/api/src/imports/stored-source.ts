import type { ImageLocation } from '@glance/domain';
import type { Stores } from '@glance/store';
import type { Source } from './source.js';

/** What lies at the first of `locations` that can be read. */
export function storedSource(stores: Pick<Stores, 'openRead'>, locations: readonly ImageLocation[]): Source {
  return {
    async open(signal) {
      const { size, data } = await stores.openRead(locations, { signal });
      return { size, data };
    },
  };
}
