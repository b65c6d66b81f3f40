import { ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import type { Capacity, ReadOptions, StoreDriver, WriteOptions } from '../../driver.js';
import { type Holding, together } from '../../holding.js';
import type { FileDriver } from './file-driver.js';
import { dataExists } from '../../store-error.js';

export interface FileDirectory {
  readonly driver: FileDriver;
  /** Those with the highest take images first. */
  readonly priority: number;
}

/**
 * Several directories as one store: a new image goes where there is the most room, among those of the highest priority
 * that have room for it.
 */
export class FileDirectories implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #directories: readonly FileDirectory[];
  /** Ids that this process is writing, and what for: two directories know nothing of each other's claims. */
  readonly #arriving = new Map<string, symbol>();

  constructor(directories: readonly FileDirectory[]) {
    this.#directories = directories;
  }

  async open(): Promise<void> {
    await this.#all((driver) => driver.open());
  }

  async write(id: string, data: Bytes, options: WriteOptions): Promise<string> {
    if (this.#arriving.has(id)) throw dataExists();
    const claim = Symbol(id);
    this.#arriving.set(id, claim);
    try {
      if ((await this.holding(id)) !== undefined) throw dataExists();
      return await (await this.#roomiest(options.size ?? 0)).write(id, data, options);
    } finally {
      if (this.#arriving.get(id) === claim) this.#arriving.delete(id);
    }
  }

  async #roomiest(size: number): Promise<FileDriver> {
    const rooms = await this.#all((driver) => driver.capacity());
    const all = this.#directories.map((each, index) => ({ ...each, room: rooms[index]!.available }));
    all.sort((a, b) => b.priority - a.priority || b.room - a.room);
    const first = all.find(({ room }) => room >= Math.max(size, 1));
    if (!first) throw new ServiceError('StorageFull', 'No directory of the store has room for this image.');
    return first.driver;
  }

  async read(url: string, options: ReadOptions): Promise<{ size: number; data: Bytes }> {
    return this.#at(url).read(url, options);
  }

  async size(url: string): Promise<number> {
    return this.#at(url).size(url);
  }

  async delete(url: string): Promise<void> {
    await this.#at(url).delete(url);
  }

  canonical(url: string): string | undefined {
    return this.#directories.some(({ driver }) => driver.canonical(url) !== undefined) ? url : undefined;
  }

  metadata(url: string): Readonly<Record<string, string>> {
    return this.#at(url).metadata(url);
  }

  async discard(id: string): Promise<void> {
    this.#arriving.delete(id);
    await this.#all((driver) => driver.discard(id));
  }

  async *ids(): AsyncIterable<string> {
    for (const { driver } of this.#directories) yield* driver.ids();
  }

  async holding(id: string): Promise<Holding | undefined> {
    return together(await this.#all((driver) => driver.holding(id)));
  }

  async capacity(): Promise<Capacity> {
    const rooms = await this.#all((driver) => driver.capacity());
    return {
      total: rooms.reduce((sum, { total }) => sum + total, 0),
      available: rooms.reduce((sum, { available }) => sum + available, 0),
    };
  }

  async close(): Promise<void> {
    await this.#all((driver) => driver.close());
  }

  #at(url: string): FileDriver {
    const found = this.#directories.find(({ driver }) => driver.canonical(url) !== undefined);
    if (found) return found.driver;
    throw new ServiceError('BadLocation', 'The location is not that of a file in a directory of this store.');
  }

  #all<T>(work: (driver: FileDriver) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#directories.map(({ driver }) => work(driver)));
  }
}
