import type { Declaration, ValuesOf } from '@glance/config';
import type { Finding } from '@glance/domain';
import type { Bytes } from './bytes.js';
import type { Held } from './held.js';
import type { Holding, Trash } from './holding.js';

export interface StoreCapabilities {
  readonly write: boolean;
  readonly delete: boolean;
  /** Reads may begin anywhere. Without it, `Store` reads from the start and skips. */
  readonly seek: boolean;
}

/** Facts about a store for operators: no secrets among them. */
export type StoreProperties = Readonly<Record<string, string | number | boolean | null>>;

export interface ReadOptions {
  /** Bytes from the start of the image; 0 for a driver that cannot seek. Past the end there is simply no data. */
  readonly offset: number;
  /** Bytes; to the end if absent or if the image ends before. */
  readonly length?: number | undefined;
  readonly signal: AbortSignal;
}

export interface WriteOptions {
  /** A promise, in bytes; `Store` checks it. */
  readonly size: number | undefined;
  /** The project that the image belongs to, for places that are divided by projects. */
  readonly owner?: string | undefined;
  readonly signal: AbortSignal;
}

/** How much room a place has, in bytes. */
export interface Capacity {
  readonly total: number;
  /** What is left for new data. */
  readonly available: number;
}

/** Who may read an image besides its owner. */
export interface Readers {
  readonly everybody: boolean;
  /** Ids of projects. */
  readonly projects: readonly string[];
}

/**
 * Moves bytes between the service and one place that keeps them, and nothing else: digests, limits, ranges and errors
 * in words are `Store`'s. Keeps no state per image: one instance serves all requests.
 * Throws `ServiceError`s: `DataExists`, `DataNotFound`, `DataInUse`, `BadLocation`, `StorageFull`, `StorageDenied`,
 * `StoreUnavailable`, `Invalid` for an id that it cannot use as a name. Errors of the system may pass as they are.
 */
export interface StoreDriver {
  readonly capabilities: StoreCapabilities;
  /**
   * Proves that the configured place can be used, and makes it ready. Called again to see whether it still can: then
   * nothing is made that has gone.
   */
  open(): Promise<void>;
  /**
   * Stores `data` under `id` and answers with its location URL, once the bytes are durable. All or nothing: when it
   * fails, when `data` throws or `signal` fires, no trace remains; a write that finds out late that `signal` has fired
   * undoes itself. An id already stored, or being stored, fails with `DataExists`, untouched. Once `discard` of the id
   * is done, a write that began before cannot succeed.
   */
  write(id: string, data: Bytes, options: WriteOptions): Promise<string>;
  /** A missing image fails here, before any data. Holds nothing until it is pulled; `size` is that of the whole image. */
  read(url: string, options: ReadOptions): Promise<{ size: number; data: Bytes }>;
  /** Bytes. */
  size(url: string, signal: AbortSignal): Promise<number>;
  delete(url: string, signal: AbortSignal): Promise<void>;
  /**
   * Whether `url` is in this store, and may be registered by clients as where the data of an image lies. Absent: they
   * may register nothing. Without a look at what is there.
   */
  accepts?(url: string): boolean;
  /**
   * What `write` would call the data at `url` today, if that lies in this store's place; undefined if it does not, or if
   * that cannot be told yet. Rows of older versions may have credentials in them. Without a look at what is there.
   */
  canonical?(url: string): string | undefined;
  /** What the location of what is at `url` says besides its store, for clients that read it without the service. */
  metadata?(url: string): Readonly<Record<string, string>>;
  /** Facts about the place that only it knows, as far as it was reached. */
  found?(): StoreProperties;
  /** Lets these read what is at `url` without the service, and nobody else but its owner. Absent: nobody ever can. */
  share?(url: string, readers: Readers, signal: AbortSignal): Promise<void>;
  /**
   * Removes all that a `write` of `id` has left in a process that died, half-written or complete. Nothing there is no
   * error. Only for an id that no image refers to.
   */
  discard(id: string, signal: AbortSignal): Promise<void>;
  /**
   * Ids under which a `write`, of this or of Glance, has put something here: each at least once, in no order. Only UUIDs, so
   * that the things of others in the same place are not among them. Holds a page at a time. Absent: nothing is ours.
   */
  ids?(signal: AbortSignal): AsyncIterable<string>;
  /**
   * What `discard` of this id would remove; undefined when that is nothing, or when something is there that no `write` has
   * made.
   */
  holding?(id: string, signal: AbortSignal): Promise<Holding | undefined>;
  /** What is here under `id`, deleted or not, with what keeps it here. Absent: nothing but images ever does. */
  held?(id: string, signal: AbortSignal): Promise<readonly Held[]>;
  /** Absent: nobody knows. */
  capacity?(): Promise<Capacity>;
  /** What `delete` had to keep, and nobody needs any more: only that. Absent: `delete` never keeps anything. */
  trash?(signal: AbortSignal): AsyncIterable<Trash>;
  /** Removes this piece of `trash`, unless somebody needs it after all; whether it was there. */
  reclaim?(key: string): Promise<boolean>;
  close(): Promise<void>;
}

/** What the file of a driver exports: a new kind of store is this, and a line in `drivers.ts`. */
export interface StoreDriverModule<D extends Declaration = Declaration> {
  /** URL schemes of its locations. */
  readonly schemes: readonly string[];
  /** Declared for `[glance_store]`; with several stores each has them in a group of its own name. */
  readonly options: D;
  /** `backend`: the id of the store where it is one of several, for locations that have it in them. */
  create(settings: ValuesOf<D>, backend?: string): StoreDriver;
  /** Looks for what may be wrong with the place, in the order in which it is to be mended. Absent: `open` tells. */
  examine?(settings: ValuesOf<D>): AsyncIterable<Finding>;
  /** What operators are told about a store of these settings. */
  properties(settings: ValuesOf<D>): StoreProperties;
}
