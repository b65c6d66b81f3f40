import type { Calls } from './calls.js';
import { Handle } from './handle.js';
import { Image } from './image.js';
import type { Opening } from './image-facts.js';
import { call, stringAt, strings } from './library.js';
import { checked } from './rados-error.js';

/** What an image can do, as bits: librbd's RBD_FEATURE_…. */
export const features = {
  layering: 1,
  exclusiveLock: 4,
  objectMap: 8,
  fastDiff: 16,
  deepFlatten: 32,
  journaling: 64,
} as const;

// RBD_IMAGE_OPTION_… of librbd.h.
const imageOptions = { format: 0, features: 1, order: 2, cloneFormat: 12 } as const;

export interface NewImage {
  /** Bytes. */
  readonly size: number;
  /** Objects have two to the power of this many bytes; 22 if absent, or what the configuration says. */
  readonly order?: number;
  /** Bits of `features`; what the configuration says if absent. */
  readonly features?: number;
}

export interface TrashEntry {
  readonly id: string;
  /** What it was called. */
  readonly name: string;
  readonly deleted: Date;
  /** It can be removed from then on. */
  readonly deferredUntil: Date;
}

export interface PoolStats {
  /** Bytes that are used, before replication. */
  readonly bytes: number;
  readonly objects: number;
}

/** A pool, and the images in it. A full pool refuses writes with ENOSPC or EDQUOT; they do not wait for room. */
export class Pool implements AsyncDisposable {
  readonly name: string;
  readonly #calls: Calls;
  readonly #handle: Handle;

  private constructor(name: string, calls: Calls, cluster: Handle, pointer: bigint) {
    this.name = name;
    this.#calls = calls;
    this.#handle = new Handle(pointer, async (io) => void call('rados_ioctx_destroy', io), cluster);
    call('rados_set_pool_full_try', pointer);
  }

  /** For `Cluster`. ENOENT if there is no such pool. */
  static async open(name: string, calls: Calls, cluster: Handle): Promise<Pool> {
    return cluster.use('rados_ioctx_create', async () => {
      const pointer = Buffer.alloc(8);
      await calls.blocking(cluster, 'rados_ioctx_create', name, pointer);
      return new Pool(name, calls, cluster, pointer.readBigUInt64LE());
    });
  }

  /** Makes it ready for images. Needs more rights than to use it. */
  async initialize(): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_pool_init', false);
  }

  /** Whether it is one for images, as `initialize` makes it. */
  async isInitialized(): Promise<boolean> {
    const [names, length] = [Buffer.alloc(4096), Buffer.alloc(8)];
    length.writeBigUInt64LE(BigInt(names.length));
    await this.#calls.blocking(this.#handle, 'rados_application_list', names, length);
    return strings(names, length).includes('rbd');
  }

  async stats(): Promise<PoolStats> {
    const stats = Buffer.alloc(160);
    await this.#calls.blocking(this.#handle, 'rados_ioctx_pool_stat', stats);
    return { bytes: Number(stats.readBigUInt64LE(0)), objects: Number(stats.readBigUInt64LE(16)) };
  }

  /** Names of its images. */
  async images(): Promise<string[]> {
    const shape = { entrySize: 16, cleanup: 'rbd_image_spec_list_cleanup' } as const;
    return this.#calls.list(this.#handle, 'rbd_list2', shape, (memory, at) => stringAt(memory, at + 8) ?? '');
  }

  /** Makes an image of zeros. EEXIST if there is one of that name: of several who try, one succeeds. */
  async create(name: string, { size, order, features: bits }: NewImage): Promise<void> {
    const work = withOptions({ format: 2, order, features: bits }, (options) =>
      this.#calls.long(this.#handle, 'rbd_create4', name, size, options),
    );
    await this.#calls.bounded('rbd_create4', work);
  }

  /** Makes image `name` a clone of `parent`. Format 2 clones need no protected snapshot, and outlive it. */
  async clone(
    name: string,
    parent: { readonly pool: Pool; readonly name: string; readonly snapshot: string },
    { format, features: bits }: { format?: 1 | 2; features?: number } = {},
  ): Promise<void> {
    const { pool, name: image, snapshot } = parent;
    const work = this.#handle.use('rbd_clone3', (child) =>
      withOptions({ format: 2, features: bits, cloneFormat: format }, (options) =>
        pool.#calls.long(pool.#handle, 'rbd_clone3', image, snapshot, child, name, options),
      ),
    );
    await this.#calls.bounded('rbd_clone3', work);
  }

  /** Opens an image; ENOENT if it or its snapshot is not there. */
  open(opening: Opening): Promise<Image> {
    return Image.open(this.#calls, this.#handle, opening);
  }

  /**
   * Removes an image. EBUSY while somebody has it open for writing, also for 30 seconds after a client that had died;
   * ENOTEMPTY while it has snapshots.
   */
  async remove(name: string): Promise<void> {
    await this.#calls.long(this.#handle, 'rbd_remove', name);
  }

  async rename(name: string, newName: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_rename', name, newName);
  }

  /** Takes the name of an image away, and keeps its data. EBUSY while somebody has it open for writing. */
  async moveToTrash(name: string, delaySeconds = 0): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_trash_move', name, delaySeconds);
  }

  async trash(): Promise<TrashEntry[]> {
    const shape = { entrySize: 40, cleanup: 'rbd_trash_list_cleanup' } as const;
    return this.#calls.list(this.#handle, 'rbd_trash_list', shape, (memory, at) => ({
      id: stringAt(memory, at) ?? '',
      name: stringAt(memory, at + 8) ?? '',
      deleted: new Date(Number(memory.readBigInt64LE(at + 24)) * 1000),
      deferredUntil: new Date(Number(memory.readBigInt64LE(at + 32)) * 1000),
    }));
  }

  async restoreFromTrash(id: string, name: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_trash_restore', id, name);
  }

  /** ENOTEMPTY while it has snapshots, EPERM before its time unless `force`. */
  async removeFromTrash(id: string, { force = false } = {}): Promise<void> {
    await this.#calls.long(this.#handle, 'rbd_trash_remove', id, force);
  }

  /** Closes its images first. Repeatable. ETIMEDOUT as for an image. */
  close(): Promise<void> {
    return this.#calls.bounded('rados_ioctx_destroy', this.#handle.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Image options that exist until `work` is over. */
async function withOptions<T>(
  values: Partial<Record<keyof typeof imageOptions, number | undefined>>,
  work: (options: bigint) => Promise<T>,
): Promise<T> {
  const pointer = Buffer.alloc(8);
  call('rbd_image_options_create', pointer);
  const options = pointer.readBigUInt64LE();
  try {
    for (const [name, number] of Object.entries(imageOptions)) {
      const value = values[name as keyof typeof imageOptions];
      if (value === undefined) continue;
      const set = call('rbd_image_options_set_uint64', options, number, value);
      checked('rbd_image_options_set_uint64', set);
    }
    return await work(options);
  } finally {
    call('rbd_image_options_destroy', options);
  }
}
