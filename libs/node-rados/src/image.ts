import { constants } from 'node:os';
import { type Calls, newCompletion } from './calls.js';
import { Handle } from './handle.js';
import { ImageEvents } from './image-events.js';
import type { Child, Extent, ImageStat, Opening, Snapshot, Watcher } from './image-facts.js';
import { type Argument, call, callback, callInThread, type FunctionName, stringAt, strings } from './library.js';
import { checked, isRadosError, RadosError } from './rados-error.js';

/** Images of this process that are open and were read or written. */
let busy = 0;

const snapshotKinds = ['user', 'group', 'trash', 'mirror'] as const;

/**
 * An open image. Reads and writes may overlap; each holds its memory until its promise settles, and for longer when
 * that is with ETIMEDOUT: then the memory is librbd's until the image is closed.
 */
export class Image implements AsyncDisposable {
  readonly #calls: Calls;
  readonly #handle: Handle;
  readonly #events: ImageEvents;
  readonly #writable: boolean;
  /** Bytes. */
  #size: number;
  /** Whether it counts as `busy`. */
  #busy = false;

  private constructor(calls: Calls, pool: Handle, pointer: bigint, events: ImageEvents, writable: boolean) {
    this.#calls = calls;
    this.#events = events;
    this.#writable = writable;
    this.#size = sizeOf(pointer);
    const free = async (image: bigint): Promise<void> => {
      await closePointer(calls, image);
      events.close();
      if (this.#busy && --busy === 0) await callInThread('malloc_trim', 0);
    };
    this.#handle = new Handle(pointer, free, pool);
  }

  /** For `Pool`. */
  static async open(calls: Calls, pool: Handle, opening: Opening): Promise<Image> {
    const name = openFunction(opening);
    const work = pool.use(name, async (io) => {
      const pointer = Buffer.alloc(8);
      const completion = newCompletion();
      const target = opening.id ?? opening.name ?? '';
      call(name, io, target, pointer, opening.snapshot ?? null, completion);
      await calls.completed(name, completion);
      const writable = !opening.readOnly && opening.snapshot === undefined;
      return Image.#opened(calls, pool, pointer.readBigUInt64LE(), writable);
    });
    return calls.bounded(name, work).catch((error: unknown) => {
      // Should it open after all, nobody is there to close it.
      work.then((image) => image.close()).catch(() => undefined);
      throw error;
    });
  }

  static async #opened(calls: Calls, pool: Handle, pointer: bigint, writable: boolean): Promise<Image> {
    try {
      return new Image(calls, pool, pointer, new ImageEvents(pointer), writable);
    } catch (error) {
      await closePointer(calls, pointer);
      throw error;
    }
  }

  /** Bytes that were read: fewer than the length of `memory` at the end of the image. */
  read(offset: number, memory: Uint8Array): Promise<number> {
    this.#beBusy();
    return this.#start('rbd_aio_read', (completion) => [offset, memory.length, memory, completion]);
  }

  /** Writes all of `memory`, which must end within the image: otherwise EINVAL. EROFS if it was opened for reading. */
  async write(offset: number, memory: Uint8Array): Promise<void> {
    // librbd would refuse as well, but a write without copies that it refuses at once never completes.
    if (!this.#writable) throw new RadosError('rbd_aio_write', constants.errno.EROFS);
    if (offset + memory.length > this.#size) throw new RadosError('rbd_aio_write', constants.errno.EINVAL);
    this.#beBusy();
    await this.#start('rbd_aio_write', (completion) => [offset, memory.length, memory, completion]);
  }

  /** Gives up the data of a part. What is not a multiple of 64 KiB may stay as it is: to be sure, `writeZeroes`. */
  async discard(offset: number, length: number): Promise<void> {
    await this.#start('rbd_aio_discard', (completion) => [offset, length, completion]);
  }

  /** Makes a part read as zeros, without data where that is possible. */
  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.#start('rbd_aio_write_zeroes', (completion) => [offset, length, completion, 0, 0]);
  }

  /** Settles once all that was written is durable. */
  async flush(): Promise<void> {
    await this.#start('rbd_aio_flush', (completion) => [completion]);
  }

  /** What passes through librados leaves holes of some 100 MiB in the heap; they go when nothing passes any more. */
  #beBusy(): void {
    if (this.#busy) return;
    this.#busy = true;
    busy += 1;
  }

  async stat(): Promise<ImageStat> {
    // rbd_image_info_t of librbd.h.
    const info = Buffer.alloc(160);
    await this.#calls.blocking(this.#handle, 'rbd_stat', info, info.length);
    return {
      size: Number(info.readBigUInt64LE(0)),
      objectSize: Number(info.readBigUInt64LE(8)),
      order: info.readInt32LE(24),
    };
  }

  /** What the image is called inside of Ceph; never used again for another. */
  get id(): string {
    const id = Buffer.alloc(256);
    checked('rbd_get_id', call('rbd_get_id', this.#handle.pointer('rbd_get_id'), id, id.length));
    return text(id);
  }

  /** When it was written to last, to about a minute; when it was made, if never. */
  async modified(): Promise<Date> {
    const times = await Promise.all([
      this.#timestamp('rbd_get_create_timestamp'),
      this.#timestamp('rbd_get_modify_timestamp'),
    ]);
    return new Date(Math.max(...times));
  }

  /** Milliseconds of the epoch. */
  async #timestamp(name: 'rbd_get_create_timestamp' | 'rbd_get_modify_timestamp'): Promise<number> {
    const timespec = Buffer.alloc(16);
    await this.#calls.blocking(this.#handle, name, timespec);
    return Number(timespec.readBigInt64LE(0)) * 1000 + Math.floor(Number(timespec.readBigInt64LE(8)) / 1e6);
  }

  /** Bits of `features`. */
  async features(): Promise<number> {
    const bits = Buffer.alloc(8);
    await this.#calls.blocking(this.#handle, 'rbd_get_features', bits);
    return Number(bits.readBigUInt64LE());
  }

  /** Bytes. To shrink removes what is behind. */
  async resize(size: number): Promise<void> {
    await this.#calls.long(this.#handle, 'rbd_resize', size);
    this.#size = size;
  }

  /** Copies what a clone still reads from its parent. Takes as long as that is large. */
  async flatten(): Promise<void> {
    await this.#calls.long(this.#handle, 'rbd_flatten');
  }

  async snapshots(): Promise<Snapshot[]> {
    const shape = { entrySize: 24, counted: true, cleanup: 'rbd_snap_list_end' } as const;
    const found = await this.#calls.list(this.#handle, 'rbd_snap_list', shape, (memory, at) => ({
      id: memory.readBigUInt64LE(at),
      size: Number(memory.readBigUInt64LE(at + 8)),
      name: stringAt(memory, at + 16) ?? '',
    }));
    return Promise.all(found.map(async (snapshot) => ({ ...snapshot, kind: await this.#kindOf(snapshot.id) })));
  }

  async createSnapshot(name: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_snap_create', name);
  }

  /** EBUSY while it is protected; ENOENT if there is none. One that clones need stays, in the trash. */
  async removeSnapshot(name: string): Promise<void> {
    await this.#calls.long(this.#handle, 'rbd_snap_remove', name);
  }

  /** Keeps it from being removed. EBUSY if it is protected. */
  async protectSnapshot(name: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_snap_protect', name);
  }

  /** EBUSY while it has clones of format 1; EINVAL if it is not protected. */
  async unprotectSnapshot(name: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_snap_unprotect', name);
  }

  async isProtected(snapshot: string): Promise<boolean> {
    const result = Buffer.alloc(4);
    await this.#calls.blocking(this.#handle, 'rbd_snap_is_protected', snapshot, result);
    return result.readInt32LE() === 1;
  }

  /** Clones of the snapshot that it was opened at, or of all. EPERM if one is in a pool that the user may not read. */
  async children(): Promise<Child[]> {
    const shape = { entrySize: 48, cleanup: 'rbd_linked_image_spec_list_cleanup' } as const;
    return this.#calls.list(this.#handle, 'rbd_list_children3', shape, (memory, at) => ({
      pool: stringAt(memory, at + 8) ?? '',
      namespace: stringAt(memory, at + 16) ?? '',
      id: stringAt(memory, at + 24) ?? '',
      name: stringAt(memory, at + 32) ?? '',
      trash: memory[at + 40] !== 0,
    }));
  }

  /** Clients that have it open for writing, this one included. */
  async watchers(): Promise<Watcher[]> {
    const shape = { entrySize: 24, cleanup: 'rbd_watchers_list_cleanup' } as const;
    return this.#calls.list(this.#handle, 'rbd_watchers_list', shape, (memory, at) => ({
      address: stringAt(memory, at) ?? '',
      client: Number(memory.readBigInt64LE(at + 8)),
    }));
  }

  async metadata(): Promise<Map<string, string>> {
    for (let room = 4096; ; room *= 4) {
      const [keys, values, keysLength, valuesLength] = [room, room, 8, 8].map((length) => Buffer.alloc(length));
      for (const length of [keysLength!, valuesLength!]) length.writeBigUInt64LE(BigInt(room));
      try {
        const memory = [keys!, keysLength!, values!, valuesLength!];
        await this.#calls.blocking(this.#handle, 'rbd_metadata_list', '', 0, ...memory);
      } catch (error) {
        if (isRadosError(error, 'ERANGE')) continue;
        throw error;
      }
      const found = strings(values!, valuesLength!);
      return new Map(strings(keys!, keysLength!).map((key, index) => [key, found[index]!]));
    }
  }

  async setMetadata(key: string, value: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_metadata_set', key, value);
  }

  async removeMetadata(key: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rbd_metadata_remove', key);
  }

  /** Parts that differ from what was there at snapshot `since`; without it, parts that have data. */
  async extents({ since }: { since?: string } = {}): Promise<Extent[]> {
    const { size } = await this.stat();
    const extents: Extent[] = [];
    const collect = callback('int OnExtent(uint64_t offset, size_t length, int exists, void *argument)', (...args) => {
      extents.push({ offset: Number(args[0]), length: Number(args[1]), exists: args[2] !== 0 });
      return 0;
    });
    try {
      await this.#calls.long(this.#handle, 'rbd_diff_iterate2', since ?? null, 0, size, 1, 0, collect.pointer, null);
    } finally {
      collect.release();
    }
    return extents;
  }

  /** Bytes, as far as this client has changed it. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits for what is in flight; nothing can be started any more. Repeatable. ETIMEDOUT when that takes too long: then
   * it is closed as soon as possible.
   */
  close(): Promise<void> {
    return this.#calls.bounded('rbd_aio_close', this.#handle.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #kindOf(snapshot: bigint): Promise<Snapshot['kind']> {
    const kind = Buffer.alloc(4);
    await this.#calls.blocking(this.#handle, 'rbd_snap_get_namespace_type', snapshot, kind);
    return snapshotKinds[kind.readInt32LE()] ?? 'user';
  }

  #start(name: FunctionName, args: (completion: bigint) => readonly Argument[]): Promise<number> {
    const work = this.#handle.use(name, () => this.#events.start(name, args));
    return this.#calls.bounded(name, work);
  }
}

// It has just been opened, so that this looks nowhere but in memory.
function sizeOf(image: bigint): number {
  const size = Buffer.alloc(8);
  checked('rbd_get_size', call('rbd_get_size', image, size));
  return Number(size.readBigUInt64LE());
}

function openFunction({ id, readOnly = false }: Opening): FunctionName {
  if (id !== undefined) return readOnly ? 'rbd_aio_open_by_id_read_only' : 'rbd_aio_open_by_id';
  return readOnly ? 'rbd_aio_open_read_only' : 'rbd_aio_open';
}

async function closePointer(calls: Calls, image: bigint): Promise<void> {
  const completion = newCompletion();
  call('rbd_aio_close', image, completion);
  await calls.completed('rbd_aio_close', completion);
}

function text(memory: Buffer): string {
  return memory.toString('utf8', 0, memory.indexOf(0));
}
