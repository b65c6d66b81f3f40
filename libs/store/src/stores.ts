import { type ImageLocation, isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from './bytes.js';
import { settled } from './cancellation.js';
import { continued } from './continued.js';
import type { Readers, StoreProperties } from './driver.js';
import { Silence } from './silence.js';
import type { Store, StoreRead, StoreWrite } from './store.js';

export interface ConfiguredStore {
  readonly id: string;
  readonly store: Store;
  /** URL schemes of its locations. */
  readonly schemes: readonly string[];
  /** What clients are told about it. */
  readonly description?: string;
  /** Copies in stores with more of it are read first; 0 if absent. */
  readonly weight?: number;
  /** What operators are told about it: the name of its driver, and its settings. */
  readonly details?: { readonly type: string; readonly properties: StoreProperties };
}

/** What clients are told about one of several stores. */
export interface StoreFacts {
  readonly id: string;
  readonly description: string | undefined;
  readonly isDefault: boolean;
  readonly readOnly: boolean;
  readonly weight: number;
  /** The name of its driver. */
  readonly type: string;
  readonly properties: StoreProperties;
}

export interface StoresSettings {
  /** Takes images when nobody says which store should. */
  readonly defaultId: string;
  /** Whether locations say which store they are in: with `enabled_backends` they do. */
  readonly named?: boolean;
  /** Milliseconds that a store may be silent before another copy is read; 10,000 if absent. */
  readonly silence?: number;
}

export interface OpenedData {
  readonly location: ImageLocation;
  /** Bytes of the whole image. */
  readonly size: number;
  readonly data: Bytes;
}

/** Milliseconds after which a service starts without a store that does not answer. */
const longestOpening = 20_000;

/** The stores of a deployment, by their ids, and what is done with all copies of an image. */
export class Stores {
  readonly defaultId: string;
  /** Whether clients know the stores by their ids. */
  readonly named: boolean;
  readonly #stores: ReadonlyMap<string, ConfiguredStore>;
  readonly #weighted: boolean;
  readonly #silence: number;

  constructor(stores: readonly ConfiguredStore[], { defaultId, named = false, silence = 10_000 }: StoresSettings) {
    this.defaultId = defaultId;
    this.#silence = silence;
    this.named = named;
    this.#stores = new Map(stores.map((configured) => [configured.id, configured]));
    this.#weighted = stores.some(({ weight = 0 }) => weight !== (stores[0]?.weight ?? 0));
  }

  /** In the order of the configuration. */
  get ids(): readonly string[] {
    return [...this.#stores.keys()];
  }

  /** In the order of the configuration. */
  facts(): StoreFacts[] {
    return [...this.#stores.values()].map(({ id, description, store, weight = 0, details }) => ({
      id,
      description,
      isDefault: id === this.defaultId,
      readOnly: !store.capabilities.write,
      weight,
      type: details?.type ?? '',
      properties: { ...details?.properties, ...store.found() },
    }));
  }

  /**
   * Proves that the stores can be used. One that is away makes itself ready when it is there again, and so does one whose
   * options are wrong once what they name exists; of both `tell` hears. Fails for the default store with wrong options.
   */
  async open(tell: (id: string, error: ServiceError) => void): Promise<void> {
    const open = async ({ id, store }: ConfiguredStore): Promise<void> => {
      const late = new ServiceError('StoreUnavailable', 'The store does not answer yet.');
      try {
        await settled(store.open(), AbortSignal.timeout(longestOpening), { late: () => late });
      } catch (error) {
        if (!isServiceError(error) || (id === this.defaultId && error.code !== 'StoreUnavailable')) throw error;
        tell(id, error);
      }
    };
    await Promise.all([...this.#stores.values()].map(open));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#stores.values()].map(({ store }) => store.close()));
  }

  /** The store of this id; `NotFound` if there is none. */
  get(id: string): Store {
    const configured = this.#stores.get(id);
    if (!configured) throw new ServiceError('NotFound', `There is no store "${id}"; there is ${this.ids.join(', ')}.`);
    return configured.store;
  }

  /** `Store.write` into the default store, or into `store`; `url` and `metadata` make the image's location. */
  async write({
    store = this.defaultId,
    ...request
  }: StoreWrite & { readonly store?: string }): Promise<ImageLocation & { readonly size: number }> {
    const stored = await this.get(store).write(request);
    return { ...stored, metadata: { ...this.get(store).metadata(stored.url), ...(this.named && { store }) } };
  }

  /** The locations in the order in which they are read: by the weight of their stores, else as they are. */
  byWeight(locations: readonly ImageLocation[]): readonly ImageLocation[] {
    if (!this.#weighted || locations.length < 2) return locations;
    return [...locations].sort((a, b) => this.#weightOf(b) - this.#weightOf(a));
  }

  /**
   * A location as it would be written today: with the name of its store, if it is one of several and has none, and
   * without credentials. The same object if nothing is to be changed, or if no store is known for certain to have it.
   */
  current(location: ImageLocation): ImageLocation {
    const named = this.#stores.get(location.metadata['store'] ?? '');
    for (const { id, store } of named ? [named] : this.#stores.values()) {
      const url = store.canonical(location.url);
      if (url === undefined) continue;
      if (url === location.url && (named !== undefined || !this.named)) return location;
      return { url, metadata: this.named ? { ...location.metadata, store: id } : location.metadata };
    }
    return location;
  }

  /**
   * Opens the first location that can be read, those in the stores of `prefer` first, those in stores that are away last;
   * for the rest see `Store.read`. When one breaks off, or is silent for long, the next goes on where it ended: copies of an
   * image are alike. The last has all the time that its driver takes.
   * When none can be opened, fails with `DataNotFound`, or with what keeps a copy that may still be there from being read.
   */
  async openRead(
    locations: readonly ImageLocation[],
    { prefer = [], ...request }: StoreRead & { readonly prefer?: readonly string[] },
  ): Promise<OpenedData> {
    const rank = (location: ImageLocation): number => {
      const place = prefer.indexOf(location.metadata['store'] ?? '');
      return (this.#isAiling(location) ? prefer.length + 1 : 0) + (place < 0 ? prefer.length : place);
    };
    const ranked = [...this.byWeight(locations)].sort((a, b) => rank(a) - rank(b));
    const opened = await this.#openFirst(ranked, request);
    const others = ranked.slice(ranked.indexOf(opened.location) + 1);
    if (others.length === 0) return opened;
    const end = Math.min(opened.size, (request.offset ?? 0) + (request.length ?? opened.size));
    const goOn = async (sent: number): Promise<Bytes | undefined> => {
      const [next] = others;
      if (!next) return undefined;
      const offset = (request.offset ?? 0) + sent;
      const again = await this.#openFirst(others, { ...request, offset, length: end - offset });
      others.splice(0, others.indexOf(again.location) + 1);
      return again.size === opened.size ? again.data : undefined;
    };
    return { ...opened, data: continued(opened.data, request.signal, goOn) };
  }

  async #openFirst(locations: readonly ImageLocation[], request: StoreRead): Promise<OpenedData> {
    let obstacle: unknown;
    for (const location of locations) {
      const silence = location === locations.at(-1) ? undefined : new Silence(this.#silence);
      const signal = silence ? AbortSignal.any([request.signal, silence.signal]) : request.signal;
      try {
        const { size, data } = await this.#storeOf(location).read(location.url, { ...request, signal });
        return { location, size, data: silence?.watched(data) ?? data };
      } catch (error) {
        if (request.signal.aborted || isServiceError(error, 'RangeNotSatisfiable')) throw error;
        if (!isServiceError(error, 'DataNotFound')) obstacle ??= error;
      } finally {
        silence?.end();
      }
    }
    throw (obstacle as Error | undefined) ?? new ServiceError('DataNotFound', 'No store has the data of this image.');
  }

  /**
   * Erases every copy, durably. Copies that are gone already are no error, nor are those in places that never delete;
   * `DataInUse` if somebody needs one. Stops at the first failure and may be repeated.
   */
  async erase(locations: readonly ImageLocation[], signal: AbortSignal): Promise<void> {
    for (const location of locations) {
      const store = this.#storeOf(location);
      if (!store.capabilities.delete) continue;
      try {
        await store.delete(location.url, signal);
      } catch (error) {
        if (!isServiceError(error, 'DataNotFound')) throw error;
      }
    }
  }

  /** Whether a store lets others read without the service. */
  get shares(): boolean {
    return [...this.#stores.values()].some(({ store }) => store.shares);
  }

  /** Lets these read the copies in stores that can do so without the service, and nobody else but the owner. */
  async share(locations: readonly ImageLocation[], readers: Readers, signal: AbortSignal): Promise<void> {
    await Promise.all(locations.map((each) => this.#storeOf(each).share(each.url, readers, signal)));
  }

  /** Bytes of what is at a location. */
  async size(location: ImageLocation, signal: AbortSignal): Promise<number> {
    return this.#storeOf(location).size(location.url, signal);
  }

  /** The id of the store that a location is in; undefined if there is none, or one that deletes nothing. */
  keeperOf(location: ImageLocation): string | undefined {
    const found = this.#configuredFor(location);
    return found?.store.capabilities.delete === true ? found.id : undefined;
  }

  /** The id of the store that clients may register `url` in: the preferred one, the default, or another; or none. */
  accepting(url: string, preferred = this.defaultId): string | undefined {
    const scheme = schemeOf(url);
    const ids = new Set([preferred, this.defaultId, ...this.ids]);
    return [...ids].find((id) => {
      const configured = this.#stores.get(id);
      return configured?.schemes.includes(scheme) === true && configured.store.accepts(url);
    });
  }

  /** Removes all that an interrupted write of `id` left in a store. Only for an id that no image refers to. */
  async discard(store: string, id: string, signal: AbortSignal): Promise<void> {
    await this.get(store).discard(id, signal);
  }

  /** Removes the trash of all stores, and tells the bytes of each piece; of stores where that fails, `tell` hears. */
  async *reclaim(signal: AbortSignal, tell: (id: string, error: unknown) => void): AsyncIterable<number> {
    for (const { id, store } of this.#stores.values()) {
      try {
        for await (const { key, bytes } of store.trash(signal)) if (await store.reclaim(key)) yield bytes;
      } catch (error) {
        tell(id, error);
      }
    }
  }

  /** Removes a piece of the trash of one store, unless somebody needs it after all; whether it was there. */
  async reclaimOne(store: string, key: string): Promise<boolean> {
    return this.get(store).reclaim(key);
  }

  #storeOf(location: ImageLocation): Store {
    const found = this.#configuredFor(location);
    // The URL may hold credentials: it is not told.
    if (!found) {
      throw new ServiceError('BadLocation', `No store has locations of the scheme "${schemeOf(location.url)}".`);
    }
    return found.store;
  }

  // A store that was renamed or is the only one now still has its data: then the URL tells, or at least its scheme.
  #configuredFor({ url, metadata }: ImageLocation): ConfiguredStore | undefined {
    const scheme = schemeOf(url);
    const fits = (configured: ConfiguredStore | undefined): boolean => configured?.schemes.includes(scheme) === true;
    const named = this.#stores.get(metadata['store'] ?? '');
    if (fits(named)) return named;
    const all = [this.#stores.get(this.defaultId), ...this.#stores.values()].filter(fits);
    return all.find((configured) => configured?.store.canonical(url) !== undefined) ?? all[0];
  }

  #weightOf(location: ImageLocation): number {
    return this.#configuredFor(location)?.weight ?? 0;
  }

  #isAiling(location: ImageLocation): boolean {
    return this.#configuredFor(location)?.store.ailing === true;
  }
}

function schemeOf(url: string): string {
  return /^[a-z][a-z0-9+.-]*(?=:)/i.exec(url)?.[0].toLowerCase() ?? '';
}
