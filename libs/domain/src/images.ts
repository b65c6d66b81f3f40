import type { Caller } from './caller.js';
import { defineContract } from './contract.js';
import type { Image, ImageChange, ImageLocation, NewImage, StoredData } from './image.js';
import type { ImagePage, ImageQuery, Member, MemberStatus } from './image-query.js';

/**
 * Work on an image's bytes that is under way, and the right to finish it. Whoever holds the token renews it in time;
 * once it runs out, the scrubber takes the work over and undoes or finishes it.
 */
export interface Lease {
  readonly token: string;
  /** Milliseconds from now. */
  readonly expiresIn: number;
}

export interface Upload {
  readonly lease: Lease;
  readonly image: Image;
  /** Bytes; more than this is refused with `LimitExceeded`. */
  readonly maxSize: number;
}

export interface Deletion {
  /** Absent when the data stays for a while (delayed delete): nothing more is to be done. */
  readonly lease?: Lease;
  readonly locations: readonly ImageLocation[];
}

export interface Download {
  readonly image: Image;
  /** Empty when the image has no data yet. */
  readonly locations: readonly ImageLocation[];
  /** The registry wants to be told by `finishDownload` how much was sent. */
  readonly report?: true;
}

/**
 * Work that nobody is doing any more, with a fresh lease on it. `upload`: erase what is in `store` under the image's
 * id, then `cancelUpload`. `stage`: `cancelUpload` is all; staged data is the engines' to discard. `delete`: erase the locations, then `finishDelete`, or `cancelDelete` if they are in use.
 */
export type DueWork =
  | { readonly kind: 'upload'; readonly imageId: string; readonly store: string; readonly lease: Lease }
  | { readonly kind: 'stage'; readonly imageId: string; readonly lease: Lease }
  | DueDeletion;

export interface DueDeletion {
  readonly kind: 'delete';
  readonly imageId: string;
  readonly locations: readonly ImageLocation[];
  /** Of all locations, if known. */
  readonly bytes?: number;
  readonly lease: Lease;
}

/** A deleted image whose data is still there. */
export interface DeletedImage {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  /** Bytes. */
  readonly size: number | null;
  readonly deletedAt: string;
  /** When its data goes, at the earliest. */
  readonly goesAt: string;
}

/** A location that was written by an older version, and what it is to be. */
export interface LocationRenewal {
  readonly was: ImageLocation;
  readonly location: ImageLocation;
}

/** By the name of a limit: what is used of it, and what may be; -1 is no limit. Sizes are in MiB. */
export type Usage = Readonly<Record<string, { readonly usage: number; readonly limit: number }>>;

/** What is known of the data of an image before it arrives. */
export interface IncomingUpload {
  /** Recorded, so that a crashed upload can be cleaned up. */
  readonly store: string;
  /** Bytes, if the client said so. */
  readonly size: number | null;
  /** The store is one of several, whose names users know. */
  readonly named?: boolean;
}

/**
 * The registry's images. Every method that takes a caller checks visibility (`NotFound`), then policy (`Forbidden`).
 * Methods that take a token answer `Gone` when the lease was lost or the image deleted meanwhile.
 */
export interface Images {
  create(caller: Caller, image: NewImage): Promise<Image>;
  show(caller: Caller, id: string): Promise<Image>;
  list(caller: Caller, query: ImageQuery): Promise<ImagePage>;
  update(caller: Caller, id: string, changes: readonly ImageChange[]): Promise<Image>;
  /** Fails as `update` would, and changes nothing. The sizes of locations may still be unknown. */
  checkUpdate(caller: Caller, id: string, changes: readonly ImageChange[]): Promise<void>;
  /** Where the data of an image lies, for services. */
  locations(caller: Caller, id: string): Promise<readonly ImageLocation[]>;
  addTag(caller: Caller, id: string, tag: string): Promise<void>;
  removeTag(caller: Caller, id: string, tag: string): Promise<void>;
  deactivate(caller: Caller, id: string): Promise<void>;
  reactivate(caller: Caller, id: string): Promise<void>;

  /** What the caller's project uses of its limits; empty if there are none. */
  usage(caller: Caller): Promise<Usage>;

  /** queued → saving. */
  beginUpload(caller: Caller, id: string, upload: IncomingUpload): Promise<Upload>;
  /**
   * Extends the lease of an upload, also to staging, or of a deletion. With `size`, the bytes of an upload that has just
   * ended, it also reserves room for them: `LimitExceeded` if the quota of the project has none.
   */
  renewLease(token: string, size?: number): Promise<Lease>;
  /** saving → active. May be repeated with the same arguments. */
  finishUpload(token: string, data: StoredData): Promise<Image>;
  /**
   * saving or uploading → queued. Call it once the store holds nothing; a lost or finished lease is no error. `reason`
   * is a sentence for whoever is notified.
   */
  cancelUpload(token: string, reason?: string): Promise<void>;

  /** `prefers`: the caller says which store to read from, which a rule of its own lets him. */
  beginDownload(caller: Caller, id: string, options?: { readonly prefers?: boolean }): Promise<Download>;
  /** Fails with `Forbidden` unless the caller may see what stores are made of. */
  checkStoresDetail(caller: Caller): Promise<void>;
  /**
   * Writes locations as they are written today, of which `was` is the URL and which have no store yet, or whose URL has
   * credentials. Those that have been changed or removed meanwhile stay as they are.
   */
  renewLocations(id: string, renewals: readonly LocationRenewal[]): Promise<void>;
  /** Data has been sent to the caller: `bytes` of the `of` that were asked for. The image may be gone by now. */
  finishDownload(caller: Caller, id: string, sent: { bytes: number; of: number }): Promise<void>;

  /** The image is gone for everybody; its data is to be erased by whoever holds the lease. */
  beginDelete(caller: Caller, id: string): Promise<Deletion>;
  /** Deleted images that can be restored, the oldest first: those of the caller's project, all for an administrator. */
  listDeleted(caller: Caller, page: { limit: number; marker?: string }): Promise<readonly DeletedImage[]>;
  /**
   * pending_delete → what it was, with all that belonged to it. `NotFound` unless it can be, `Conflict` once somebody
   * has begun to erase it. `caller` null: whoever runs the service.
   */
  restore(caller: Caller | null, id: string): Promise<Image>;
  /**
   * One of several locations is gone for everybody; the rest is as with `beginDelete`. By its position, or by the name
   * of its store.
   */
  beginRemoveLocation(caller: Caller, id: string, which: number | string): Promise<Deletion>;
  /** The data is erased. May be repeated. */
  finishDelete(token: string): Promise<void>;
  /** The data cannot be erased because it is in use: the image is back as it was. */
  cancelDelete(token: string): Promise<void>;

  /**
   * Hands out at most `limit` pieces of work, each to one caller only: `abandoned` is what a lease ran out on, `all`
   * (the default) also the deletions whose delay is over.
   */
  claimDue(limit: number, scope?: 'abandoned' | 'all'): Promise<readonly DueWork[]>;
}

export const IMAGES = defineContract<Images>('images', {
  create: { timeout: 30_000, idempotent: false },
  show: { timeout: 10_000, idempotent: true },
  list: { timeout: 30_000, idempotent: true },
  update: { timeout: 30_000, idempotent: false },
  checkUpdate: { timeout: 30_000, idempotent: true },
  locations: { timeout: 10_000, idempotent: true },
  addTag: { timeout: 10_000, idempotent: true },
  removeTag: { timeout: 10_000, idempotent: false },
  deactivate: { timeout: 10_000, idempotent: true },
  reactivate: { timeout: 10_000, idempotent: true },
  usage: { timeout: 10_000, idempotent: true },
  beginUpload: { timeout: 10_000, idempotent: false },
  renewLease: { timeout: 10_000, idempotent: true },
  finishUpload: { timeout: 30_000, idempotent: true },
  cancelUpload: { timeout: 30_000, idempotent: true },
  beginDownload: { timeout: 10_000, idempotent: true },
  checkStoresDetail: { timeout: 10_000, idempotent: true },
  renewLocations: { timeout: 10_000, idempotent: true },
  finishDownload: { timeout: 10_000, idempotent: false },
  beginDelete: { timeout: 30_000, idempotent: false },
  beginRemoveLocation: { timeout: 30_000, idempotent: false },
  listDeleted: { timeout: 30_000, idempotent: true },
  restore: { timeout: 30_000, idempotent: false },
  finishDelete: { timeout: 30_000, idempotent: true },
  cancelDelete: { timeout: 30_000, idempotent: true },
  claimDue: { timeout: 30_000, idempotent: false },
});

/** Who a shared image is shared with. */
export interface Members {
  create(caller: Caller, imageId: string, memberId: string): Promise<Member>;
  list(caller: Caller, imageId: string): Promise<readonly Member[]>;
  show(caller: Caller, imageId: string, memberId: string): Promise<Member>;
  update(caller: Caller, imageId: string, memberId: string, status: MemberStatus): Promise<Member>;
  remove(caller: Caller, imageId: string, memberId: string): Promise<void>;
}

export const MEMBERS = defineContract<Members>('members', {
  create: { timeout: 10_000, idempotent: false },
  list: { timeout: 10_000, idempotent: true },
  show: { timeout: 10_000, idempotent: true },
  update: { timeout: 10_000, idempotent: true },
  remove: { timeout: 10_000, idempotent: false },
});
