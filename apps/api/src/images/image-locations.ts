import { type Caller, type Image, type ImageChange, type Images, type NewLocation, ServiceError } from '@glance/domain';
import { isServiceError } from '@glance/domain';
import type { Stores } from '@glance/store';
import type { ImageData } from './image-data.js';
import type { PatchStep } from './image-patch.js';

/** Milliseconds in which a store must say how large the data at a new location is. */
const lookTime = 30_000;

type LocationsChange = Extract<ImageChange, { kind: 'locations' }>;

/** Changes images, also where their data lies: the registry decides, the stores are asked what is there. */
export class ImageLocations {
  constructor(
    private readonly images: Images,
    private readonly stores: Stores,
    private readonly data: ImageData,
  ) {}

  /** Runs the steps in their order. What stands between two removals of locations is done as a whole, or not. */
  async update(caller: Caller, id: string, steps: readonly PatchStep[]): Promise<Image> {
    const isChange = (step: PatchStep): step is ImageChange => step.kind !== 'removeLocation';
    if (steps.every(isChange)) return this.change(caller, id, steps);
    let changes: ImageChange[] = [];
    for (const step of steps) {
      if (isChange(step)) {
        changes.push(step);
        continue;
      }
      if (changes.length > 0) await this.change(caller, id, changes);
      changes = [];
      await this.data.removeLocation(caller, id, await this.stored(caller, id, step.position));
    }
    return changes.length > 0 ? this.change(caller, id, changes) : this.images.show(caller, id);
  }

  /** Clients count in the order in which they are shown locations, the registry in that in which they were added. */
  private async stored(caller: Caller, id: string, position: number): Promise<number> {
    const { locations } = await this.images.show(caller, id);
    const chosen = this.stores.byWeight(locations)[position];
    return chosen === undefined ? position : locations.indexOf(chosen);
  }

  private async change(caller: Caller, id: string, changes: readonly ImageChange[]): Promise<Image> {
    if (!changes.some(({ kind }) => kind === 'locations')) return this.images.update(caller, id, changes);
    // Nobody makes the service look somewhere who may not register what is there.
    await this.images.checkUpdate(caller, id, changes);
    const { locations } = await this.images.show(caller, id);
    const found = changes.map(async (change) => {
      const known = change.kind === 'locations' && change.op === 'replace' && locations.length > 0;
      return change.kind === 'locations' && !known ? this.looked(change) : change;
    });
    return this.images.update(caller, id, await Promise.all(found));
  }

  private async looked({ locations, ...change }: LocationsChange): Promise<LocationsChange> {
    return { ...change, locations: await Promise.all(locations.map((location) => this.look(location))) };
  }

  private async look({ url, metadata, ...rest }: NewLocation): Promise<NewLocation> {
    const store = this.stores.accepting(url, metadata['store']);
    if (store === undefined) throw new ServiceError('BadLocation', 'No store takes locations like this one.');
    const location = { url, metadata: this.stores.named ? { ...metadata, store } : metadata };
    const size = await this.stores.size(location, AbortSignal.timeout(lookTime)).catch((error: unknown) => {
      if (!isServiceError(error, 'DataNotFound')) throw error;
      throw new ServiceError('BadLocation', 'There is no data at this location.', {}, { cause: error });
    });
    // Glance: stores say that of what they cannot reach.
    if (size === 0) throw new ServiceError('BadLocation', 'The data at this location is empty.');
    return { ...rest, ...location, size };
  }
}
