import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, type ClusterOptions, features, type Image, isRadosError, type Pool } from '@glance/node-rados';
import { isServiceError, ServiceError } from '@glance/domain';
import { Buffers } from '../../buffers.js';
import type { Bytes } from '../../bytes.js';
import { cancellation } from '../../cancellation.js';
import type { Capacity, ReadOptions, StoreDriver, StoreProperties } from '../../driver.js';
import type { Held } from '../../held.js';
import type { Holding, Trash } from '../../holding.js';
import { assertUsableName, imageName } from '../../image-id.js';
import { dataExists, storeError, withLeftovers } from '../../store-error.js';
import { bufferSize } from './buffer-size.js';
import { Connection } from './connection.js';
import { heldImages } from './held-images.js';
import { imageBytes } from './image-bytes.js';
import { type RbdLocation, rbdLocation, rbdUrl, snapshotName } from './rbd-location.js';
import { reclaim, removeImage, removeLeftovers, removeSnapshot, unneeded } from './remove-image.js';
import { writeImage } from './write-image.js';

/** Of all streams of this process together, besides the few that each has. */
const buffers = new Buffers(32 * bufferSize);

/** Milliseconds that `discard` waits for the watcher of a client that died: Ceph forgets it after 30 seconds. */
const watcherPatience = 40_000;

export interface RbdDriverSettings {
  readonly cluster: ClusterOptions;
  readonly pool: string;
  /** Objects have two to the power of this many bytes. */
  readonly order: number;
  /** Zeros are not written. */
  readonly sparse: boolean;
}

/**
 * Images as RBD images of their ids, with a protected snapshot `snap`. To make the RBD image is to claim the id, for of
 * several who try one succeeds; it counts as stored once it has the snapshot.
 */
export class RbdDriver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #settings: RbdDriverSettings;
  readonly #connection: Connection;
  /** Of the cluster, once it was reached. */
  #fsid: string | undefined;

  constructor(settings: RbdDriverSettings) {
    this.#settings = settings;
    this.#connection = Connection.share(settings.cluster);
  }

  async open(): Promise<void> {
    await this.#inPool(this.#settings.pool, noPool, async (_, { fsid }) => {
      this.#fsid = fsid;
    });
  }

  found(): StoreProperties {
    return this.#fsid === undefined ? {} : { fsid: this.#fsid };
  }

  /** Pools of one name are in many clusters. */
  canonical(url: string): string | undefined {
    try {
      const { image } = rbdLocation(url);
      return this.#fsid !== undefined && url === rbdUrl(this.#fsid, this.#settings.pool, image) ? url : undefined;
    } catch {
      return undefined;
    }
  }

  async write(id: string, source: Bytes, options: { size: number | undefined; signal: AbortSignal }): Promise<string> {
    const { pool: poolName } = this.#settings;
    assertUsableName(id);
    if (options.signal.aborted) throw cancellation(options.signal);
    return this.#inPool(poolName, noPool, async (pool, cluster) => {
      await this.#connection.uploads.run(this.#keyOf(id), source, options.signal, (data, signal) =>
        this.#store(pool, cluster, id, data, { ...options, signal }),
      );
      return rbdUrl(cluster.fsid, poolName, id);
    });
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const location = rbdLocation(url);
    const size = await this.#sizeOf(location);
    const open = (id?: string): Promise<Image> => this.#openAt(location, id);
    const end = Math.min(size, offset + (length ?? size));
    return { size, data: imageBytes({ start: offset, end, buffers, signal, open }) };
  }

  /** Only what is in the pool of this store: the service may reach others that clients must not. */
  accepts(url: string): boolean {
    try {
      return rbdLocation(url).pool === this.#settings.pool;
    } catch {
      return false;
    }
  }

  async size(url: string): Promise<number> {
    return this.#sizeOf(rbdLocation(url));
  }

  async delete(url: string): Promise<void> {
    const { pool: poolName = this.#settings.pool, image, snapshot } = rbdLocation(url);
    await this.#inPool(poolName, notFound, (pool, cluster) =>
      removeImage(pool, image, { snapshot, client: cluster.instanceId }).catch(orNotFound),
    );
  }

  async discard(id: string, signal: AbortSignal): Promise<void> {
    assertUsableName(id);
    await this.#connection.uploads.stop(this.#keyOf(id));
    await this.#removeLeftovers(id, signal);
  }

  async *ids(): AsyncIterable<string> {
    const names = await this.#inPool(this.#settings.pool, noPool, (pool) => pool.images());
    yield* names.filter((name) => imageName.test(name));
  }

  /** Images that have snapshots of others are not of this store. */
  async holding(id: string): Promise<Holding | undefined> {
    return this.#inPool(this.#settings.pool, noPool, async (pool) => {
      const image = await pool.open({ name: id, readOnly: true }).catch(ignoringMissing);
      if (!image) return undefined;
      try {
        const snapshots = await image.snapshots();
        if (snapshots.some(({ name, kind }) => kind !== 'trash' && name !== snapshotName)) return undefined;
        return { objects: 1, bytes: image.size, modified: (await image.modified()).getTime() };
      } finally {
        await image.close();
      }
    });
  }

  held(id: string): Promise<readonly Held[]> {
    const { pool: poolName } = this.#settings;
    return this.#inPool(poolName, noPool, (pool) => heldImages(pool, poolName, id));
  }

  async *trash(signal: AbortSignal): AsyncIterable<Trash> {
    const entries = await this.#inPool(this.#settings.pool, noPool, (pool) => pool.trash());
    for (const { id: key, name: id, deleted } of entries) {
      if (signal.aborted) return;
      const bytes = await this.#inPool(this.#settings.pool, noPool, (pool) => unneeded(pool, key));
      if (bytes !== undefined) yield { key, id, bytes, deleted: deleted.getTime() };
    }
  }

  async reclaim(key: string): Promise<boolean> {
    return this.#inPool(this.#settings.pool, noPool, (pool) => reclaim(pool, key));
  }

  /** Of the disks of the whole cluster: what an image takes of it depends on how often the pool keeps it. */
  async capacity(): Promise<Capacity> {
    const { total, available } = await (await this.#connection.cluster()).stats();
    return { total, available };
  }

  async close(): Promise<void> {
    await this.#connection.release();
  }

  async #removeLeftovers(id: string, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + watcherPatience;
    await this.#inPool(this.#settings.pool, noPool, async (pool, cluster) => {
      for (;;) {
        try {
          await removeLeftovers(pool, id, cluster.instanceId);
          return;
        } catch (error) {
          if (isRadosError(error, 'ENOENT')) return;
          if (!isServiceError(error, 'DataInUse') || performance.now() > deadline) throw error;
        }
        await delay(1000, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) throw cancellation(signal);
      }
    });
  }

  #keyOf(id: string): string {
    return `${this.#settings.pool}/${id}`;
  }

  async #store(
    pool: Pool,
    cluster: Cluster,
    id: string,
    data: Bytes,
    { size = 0, signal }: { size: number | undefined; signal: AbortSignal },
  ): Promise<void> {
    const { order, sparse } = this.#settings;
    await pool.create(id, { size, order, features: featuresOf(cluster) }).catch((error: unknown) => {
      if (!isRadosError(error, 'EEXIST')) throw error;
      throw dataExists(error);
    });
    let image: Image | undefined;
    try {
      image = await pool.open({ name: id });
      await writeImage(image, data, { sparse, buffers, signal });
      await image.createSnapshot(snapshotName);
      await image.protectSnapshot(snapshotName);
      if (signal.aborted) throw cancellation(signal);
      await image.close();
    } catch (error) {
      await undo(pool, id, image, error);
      throw error;
    }
  }

  async #sizeOf(location: RbdLocation): Promise<number> {
    const image = await this.#openAt(location);
    const { size } = image;
    await image.close();
    return size;
  }

  /** For reading, which keeps nobody from removing it. */
  async #openAt({ pool: poolName = this.#settings.pool, image, snapshot }: RbdLocation, id?: string): Promise<Image> {
    const target = id === undefined ? { name: image } : { id };
    return this.#inPool(poolName, notFound, (pool) =>
      pool.open({ ...target, snapshot, readOnly: true }).catch(orNotFound),
    );
  }

  #inPool<T>(
    name: string,
    missing: (cause: unknown) => ServiceError,
    work: (pool: Pool, cluster: Cluster) => Promise<T>,
  ): Promise<T> {
    return this.#connection.withPool(name, missing, work).catch((error: unknown) => {
      // What the system refuses becomes a ServiceError there; whatever else is thrown is the source's.
      throw isRadosError(error) ? storeError(error) : error;
    });
  }
}

/** Leaves nothing of a write that failed because of `error`. */
async function undo(pool: Pool, id: string, image: Image | undefined, error: unknown): Promise<void> {
  try {
    try {
      if (image) await removeSnapshot(image, snapshotName);
    } finally {
      // Whatever happened: nobody can remove the image while it is open here.
      await image?.close();
    }
    await pool.remove(id);
  } catch (obstacle) {
    // Discarded by another process, or never there: as it should be.
    if (isRadosError(obstacle, 'ENOENT')) return;
    throw withLeftovers(error, obstacle);
  }
}

/** Glance: what `rbd_default_features` says, if that is a number. */
function featuresOf(cluster: Cluster): number {
  return Number(cluster.option('rbd_default_features')) || features.layering;
}

function noPool(cause: unknown): ServiceError {
  const message =
    'There is no pool of the name that rbd_store_pool says: make it with `ceph osd pool create <pool>` and ' +
    '`rbd pool init <pool>`.';
  return new ServiceError('StorageDenied', message, {}, { cause });
}

function notFound(cause: unknown): ServiceError {
  return new ServiceError('DataNotFound', 'The store has no such data.', {}, { cause });
}

/** For `catch`: a missing image is nothing. */
function ignoringMissing(error: unknown): undefined {
  if (!isRadosError(error, 'ENOENT')) throw error;
}

/** For `catch`: a missing image or snapshot becomes `DataNotFound`, the rest stays as it is. */
function orNotFound(error: unknown): never {
  throw isRadosError(error, 'ENOENT') ? notFound(error) : error;
}
