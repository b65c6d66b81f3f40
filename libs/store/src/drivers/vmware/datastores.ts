import { ServiceError } from '@glance/domain';
import type { Reference } from './soap.js';
import type { VsphereClient } from './vsphere-client.js';

/** A datastore as `vmware_datastores` has it. */
export interface ConfiguredDatastore {
  /** Path in the inventory. */
  readonly datacenter: string;
  readonly name: string;
  /** Those with the highest take images first. */
  readonly weight: number;
}

export interface Datastore extends ConfiguredDatastore {
  readonly reference: Reference;
  /** Lists its files. */
  readonly browser: Reference;
}

export interface Room {
  readonly datastore: Datastore;
  /** Bytes. */
  readonly total: number;
  readonly available: number;
}

/** The datastores of a store, looked up in the inventory when they are first needed. */
export class Datastores {
  readonly #client: VsphereClient;
  readonly #configured: readonly ConfiguredDatastore[];
  readonly #datacenters = new Map<string, Promise<Reference>>();
  #found: Promise<readonly Datastore[]> | undefined;

  constructor(client: VsphereClient, configured: readonly ConfiguredDatastore[]) {
    this.#client = client;
    this.#configured = configured;
  }

  /** In the order of the configuration. */
  all(): Promise<readonly Datastore[]> {
    const found = (this.#found ??= Promise.all(this.#configured.map((each) => this.#find(each))));
    found.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return found;
  }

  datacenter(path: string): Promise<Reference> {
    const known = this.#datacenters.get(path);
    if (known) return known;
    const finding = this.#findDatacenter(path);
    this.#datacenters.set(path, finding);
    finding.catch(() => this.#datacenters.delete(path));
    return finding;
  }

  /** How much room those have that can be used. */
  async rooms(signal: AbortSignal): Promise<Room[]> {
    const all = await this.all();
    const facts = await this.#client.properties(
      all.map(({ reference }) => reference),
      ['summary'],
      signal,
    );
    return all.flatMap((datastore, index) => {
      const summary = facts[index]?.get('summary');
      if (summary?.at('accessible')?.text !== 'true') return [];
      const bytes = (name: string): number => Number(summary.at(name)?.text ?? 0);
      return [{ datastore, total: bytes('capacity'), available: bytes('freeSpace') }];
    });
  }

  /** The one that takes an image of so many bytes, or of an unknown number: that with the most room of the first weight. */
  async roomiest(size: number, signal: AbortSignal): Promise<Datastore> {
    const rooms = await this.rooms(signal);
    if (rooms.length === 0) {
      throw new ServiceError('StoreUnavailable', 'None of the datastores of vmware_datastores is accessible.');
    }
    rooms.sort((a, b) => b.datastore.weight - a.datastore.weight || b.available - a.available);
    const first = rooms.find(({ available }) => available >= Math.max(size, 1));
    if (first) return first.datastore;
    throw new ServiceError('StorageFull', 'No datastore of the store has room for this image.');
  }

  // What several wait for is not for one of them to stop.
  #signal(): AbortSignal {
    return AbortSignal.timeout(this.#client.patience);
  }

  async #find(configured: ConfiguredDatastore): Promise<Datastore> {
    const signal = this.#signal();
    const datacenter = await this.datacenter(configured.datacenter);
    const [facts] = await this.#client.properties([datacenter], ['datastore'], signal);
    const references = facts?.get('datastore')?.all() ?? [];
    const candidates = references.map(({ reference }) => reference);
    const found =
      candidates.length === 0 ? [] : await this.#client.properties(candidates, ['summary.name', 'browser'], signal);
    const index = found.findIndex((each) => each?.get('summary.name')?.text === configured.name);
    const [reference, browser] = [candidates[index], found[index]?.get('browser')];
    if (reference && browser) return { ...configured, reference, browser: browser.reference };
    const { name, datacenter: path } = configured;
    throw new ServiceError('StorageDenied', `vmware_datastores: the datacenter ${path} has no datastore ${name}.`);
  }

  async #findDatacenter(inventoryPath: string): Promise<Reference> {
    const signal = this.#signal();
    const [found] = await this.#client.call({
      method: 'FindByInventoryPath',
      target: 'searchIndex',
      parameters: { inventoryPath },
      signal,
    });
    if (found?.type === 'Datacenter') return found.reference;
    throw new ServiceError('StorageDenied', `vmware_datastores: vSphere has no datacenter ${inventoryPath}.`);
  }
}
