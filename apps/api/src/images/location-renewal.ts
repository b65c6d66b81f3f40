import type { Caller, ImageLocation, Images, Logger } from '@glance/domain';
import type { Stores } from '@glance/store';

/** Brings locations of older versions up to date when images are used: see `Stores.current`. */
export class LocationRenewal {
  constructor(
    private readonly images: Images,
    private readonly stores: Stores,
    private readonly logger: Logger,
  ) {}

  /** Locations as they are written today, the best first: to be shown, and read. */
  ordered(locations: readonly ImageLocation[]): readonly ImageLocation[] {
    const current = locations.map((location) => this.stores.current(location));
    const same = current.every((location, index) => location === locations[index]);
    return this.stores.byWeight(same ? locations : current);
  }

  /** Before a call for which the registry must know which stores an image is in: has what `caller` sees written anew. */
  async renewSeen(caller: Caller, id: string): Promise<void> {
    await this.renew(id, (await this.images.show(caller, id)).locations);
  }

  /** Has the registry write them so. It may fail: then the next use tries again. */
  async renew(id: string, locations: readonly ImageLocation[]): Promise<void> {
    const renewals = locations
      .map((was) => ({ was, location: this.stores.current(was) }))
      .filter(({ was, location }) => was !== location);
    if (renewals.length === 0) return;
    try {
      await this.images.renewLocations(id, renewals);
    } catch (error) {
      this.logger.warn('Locations of an older version could not be written anew.', { imageId: id, error });
    }
  }
}
