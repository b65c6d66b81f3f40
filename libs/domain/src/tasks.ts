import type { Caller } from './caller.js';
import { defineContract } from './contract.js';
import type { ClaimedDigests, Image, ImageLocation, StoredData } from './image.js';
import type { Lease, Upload } from './images.js';

export const taskStatuses = ['pending', 'processing', 'success', 'failure'] as const;
export type TaskStatus = (typeof taskStatuses)[number];

/** `api_image_import`: what POST …/import asks for; `import`: the same by the older tasks API. */
export type TaskType = 'import' | 'api_image_import' | 'location_import';

/** Any JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Work that the service does by itself, as people see it. Times are `YYYY-MM-DDTHH:MM:SSZ`. */
export interface Task {
  readonly id: string;
  readonly type: TaskType;
  readonly status: TaskStatus;
  /** A project. */
  readonly owner: string;
  /** What was asked for; null in lists. */
  readonly input: JsonObject | null;
  readonly result: JsonObject | null;
  /** How far it is, or why it failed and what to do: for the owner. */
  readonly message: string;
  readonly imageId: string | null;
  readonly requestId: string | null;
  readonly userId: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string | null;
}

/** Which tasks, in what order. */
export interface TaskQuery {
  readonly status?: TaskStatus;
  readonly type?: TaskType;
  readonly sortKey: 'id' | 'type' | 'status' | 'createdAt' | 'updatedAt' | 'expiresAt';
  readonly direction: 'asc' | 'desc';
  /** The id of the last task of the page before. */
  readonly marker?: string;
  readonly limit: number;
}

export const importMethods = ['glance-direct', 'web-download', 'copy-image', 'glance-download'] as const;
export type ImportMethod = (typeof importMethods)[number];

/** A certificate by which the signature of an image is checked. */
export interface SigningCertificate {
  /** As `img_signature_certificate_uuid` has it. */
  readonly id: string;
  readonly pem: string;
}

/** What an import is to do, its syntax checked. */
export interface ImportRequest {
  readonly type: 'import' | 'api_image_import';
  readonly method: ImportMethod;
  /** Ids of stores that there are and that take images. */
  readonly stores: readonly string[];
  /** The stores are simply all: a copy leaves out those that have the image, and may have nothing to do. */
  readonly allStores: boolean;
  /** Clients know the stores by these ids. */
  readonly named: boolean;
  /** Whether one store that fails fails the import. */
  readonly mustSucceed: boolean;
  /** What the method needs besides, for the engine only: may hold secrets. */
  readonly source: JsonObject;
  /** Of a signed image: found with the token of whoever asks, which nobody keeps. */
  readonly certificate?: SigningCertificate;
  /** What the task shows as its input. */
  readonly input: JsonObject;
}

/** How the engine deals with a task: an import by one of the methods, or data that lies somewhere already. */
export type TaskMethod = ImportMethod | 'add-location';

/** Data that lies in a store already and becomes that of an image, its syntax checked. */
export interface LocationRequest {
  readonly location: ImageLocation;
  /** The store that takes such locations; null if none does. */
  readonly store: string | null;
  readonly digests?: ClaimedDigests;
  /** Whether the data is read to know, or to check, its digests. */
  readonly hash: boolean;
  /** What the task shows as its input. */
  readonly input: JsonObject;
}

/** Data that is staged, or about to be. */
export interface StagedData {
  /** The id under which the staging store keeps it. */
  readonly name: string;
  readonly size: number;
  readonly location: ImageLocation;
}

/** Bytes on their way into the staging area. */
export interface Staging extends Upload {
  /** The id under which the staging store is to keep them. */
  readonly name: string;
}

/** A store that an import writes to. */
export interface ImportTarget {
  readonly store: string;
  readonly state: 'waiting' | 'written' | 'failed';
  /** The image refers to what was written: it stays, even when the rest is undone. */
  readonly located?: boolean;
}

/** What became known of an image while it was imported. What is absent stays as it is. */
export interface ImportedData extends StoredData {
  readonly containerFormat?: string;
  /** Added to those that the image has. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** A task and the right to work on it, until the lease runs out: then somebody else gets it. */
export interface ClaimedTask {
  readonly id: string;
  readonly lease: Lease;
  /** `undo`: the import is given up; what is in stores and not `located` is to be discarded. */
  readonly duty: 'run' | 'undo';
  readonly imageId: string;
  /** As it is now; absent if it is deleted, which leaves nothing but to undo. */
  readonly image?: Image;
  readonly method: TaskMethod;
  readonly source: JsonObject;
  readonly targets: readonly ImportTarget[];
  readonly mustSucceed: boolean;
  readonly certificate?: SigningCertificate;
  /** What was staged, for the methods that take it from there. */
  readonly staged?: StagedData;
  /** Of whoever asked for it. */
  readonly roles: readonly string[];
  /** Bytes that an image may have. */
  readonly maxSize: number;
  /** From 1. Of a later one, stores may have what an earlier one left. */
  readonly attempt: number;
  /** Of the request that asked for it, if that is known. */
  readonly requestId?: string;
}

/** How far an import is. */
export interface ImportProgress {
  readonly step: string;
  /** Bytes. */
  readonly done: number;
  /** Bytes, if known. */
  readonly total: number | null;
  /** Bytes for each second since it began. */
  readonly rate: number;
}

/** Who works on tasks. */
export interface ImportWorker {
  /** Whose staging area it reaches besides shared ones. */
  readonly host: string | null;
  /** How many more tasks it can take. */
  readonly limit: number;
}

/**
 * Tasks: what people ask for and see, and the queue that the engines of all api processes work off. Methods that take a
 * token answer `Gone` when the task is not theirs any more: it was cancelled, its image deleted, or the lease ran out.
 */
export interface Tasks {
  /** queued → uploading. The lease is one of `Images`: it is renewed, and cancelled, there. */
  beginStage(caller: Caller, imageId: string, incoming: { host: string | null; size: number | null }): Promise<Staging>;
  /** The data lies in the staging area, and the image waits for its import. May be repeated. */
  finishStage(token: string, staged: { url: string; size: number }): Promise<void>;
  /** At most `limit` names of staged data that nobody needs any more, and that `host` can discard. */
  abandonedStaging(host: string | null, limit: number): Promise<readonly string[]>;
  /** These are discarded. */
  forgetStaging(names: readonly string[]): Promise<void>;

  /** Locks the image and queues the import. Undefined when there is nothing to do. */
  beginImport(caller: Caller, imageId: string, request: ImportRequest): Promise<Task | undefined>;
  /** Locks the image and queues the look at data that lies somewhere already. */
  beginLocation(caller: Caller, imageId: string, request: LocationRequest): Promise<Task>;
  /** Fails with `Forbidden` unless the caller may use the older tasks API, and create tasks by it. */
  assertMayCreate(caller: Caller): Promise<void>;
  show(caller: Caller, id: string): Promise<Task>;
  list(caller: Caller, query: TaskQuery): Promise<readonly Task[]>;
  /** Newest first: those of the caller, or all for an administrator. */
  ofImage(caller: Caller, imageId: string): Promise<readonly Task[]>;
  /** Gives up a task that is not over yet. `Conflict` if it is. */
  cancel(caller: Caller, id: string): Promise<void>;

  /** Hands out tasks that nobody works on, each to one caller only. Is also the sign that `host` is alive. */
  claim(worker: ImportWorker): Promise<readonly ClaimedTask[]>;
  /**
   * Extends the lease. With `size`, the bytes that each store is about to have, it also reserves room for them:
   * `LimitExceeded` if the quota of the project has none.
   */
  heartbeat(token: string, duty: ClaimedTask['duty'], progress: ImportProgress | null, size?: number): Promise<Lease>;
  /** One store has the data. May be repeated. */
  written(token: string, store: string, data: ImportedData): Promise<void>;
  /** One store will not have the data, and holds nothing of it. May be repeated. */
  failed(token: string, store: string, reason: string): Promise<void>;
  /** The digests of an image whose data was registered without them. May be repeated. */
  hashed(token: string, digests: ClaimedDigests): Promise<void>;
  /** No store is waiting any more, and enough have the data. May be repeated. */
  finish(id: string, token: string): Promise<void>;
  /** From now on the duty is to undo. May be repeated. */
  giveUp(token: string, reason: string): Promise<void>;
  /** Nothing is left in stores: the image is `queued`, or as it was before a copy, and the task a failure. */
  undone(id: string, token: string): Promise<void>;
  /** Somebody else may have it at once. */
  release(token: string): Promise<void>;
}

export const TASKS = defineContract<Tasks>('tasks', {
  beginStage: { timeout: 10_000, idempotent: false },
  finishStage: { timeout: 30_000, idempotent: true },
  abandonedStaging: { timeout: 10_000, idempotent: true },
  forgetStaging: { timeout: 10_000, idempotent: true },
  beginImport: { timeout: 30_000, idempotent: false },
  beginLocation: { timeout: 30_000, idempotent: false },
  assertMayCreate: { timeout: 10_000, idempotent: true },
  show: { timeout: 10_000, idempotent: true },
  list: { timeout: 30_000, idempotent: true },
  ofImage: { timeout: 10_000, idempotent: true },
  cancel: { timeout: 10_000, idempotent: true },
  claim: { timeout: 30_000, idempotent: false },
  heartbeat: { timeout: 10_000, idempotent: true },
  written: { timeout: 30_000, idempotent: true },
  failed: { timeout: 30_000, idempotent: true },
  hashed: { timeout: 30_000, idempotent: true },
  finish: { timeout: 30_000, idempotent: true },
  giveUp: { timeout: 30_000, idempotent: true },
  undone: { timeout: 30_000, idempotent: true },
  release: { timeout: 10_000, idempotent: true },
});
