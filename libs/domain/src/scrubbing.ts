import type { Caller } from './caller.js';
import { defineContract } from './contract.js';
import type { ImageLocation } from './image.js';
import type { DueDeletion, DueWork, Lease } from './images.js';

/**
 * What waits to be finished or undone, by what the registry knows. `deletion`: data whose delay is over. `interrupted`: an
 * upload, a staging or a deletion whose lease ran out, or that failed and is tried again later. `import`: nobody works
 * on it. `stuck`: an image that is neither queued nor active, and nobody works on it. `staged`: data that nobody needs.
 */
export const pendingKinds = ['deletion', 'interrupted', 'import', 'stuck', 'staged'] as const;
export type PendingKind = (typeof pendingKinds)[number];

/** One piece of such work. */
export interface PendingWork {
  readonly kind: PendingKind;
  /** Names this piece of its kind. */
  readonly key: string;
  readonly imageId: string;
  readonly store: string | null;
  /** As far as they are known. */
  readonly bytes: number | null;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly since: string;
  /** A sentence. */
  readonly why: string;
}

export interface PendingPage {
  /** The `key` of the last piece of the page before. */
  readonly after?: string;
  readonly limit: number;
  /** Imports and stuck images count only if nothing has happened since then. Milliseconds of the epoch. */
  readonly idleSince: number;
  /** The host whose staging area is reached, besides shared ones. */
  readonly host: string | null;
}

/** Where the data of an image lies that can be downloaded. */
export interface LocatedData {
  readonly id: number;
  readonly imageId: string;
  readonly location: ImageLocation;
  /** Of the image. */
  readonly bytes: number | null;
  /** `YYYY-MM-DDTHH:MM:SSZ`: when the image was changed last. */
  readonly since: string;
}

/** `import`: discard what `stores` have under the id of the image, then `Tasks.undone`. Its lease is one of `Tasks`. */
export type ClaimedWork =
  | DueWork
  | {
      readonly kind: 'import';
      readonly taskId: string;
      readonly imageId: string;
      readonly stores: readonly string[];
      readonly lease: Lease;
    };

/** Of `claimDeletions`: a deletion, and the lease on it. */
export interface ClaimedDeletion {
  readonly imageId: string;
  readonly token: string;
}

/** How often something failed, and when it is tried again: `YYYY-MM-DDTHH:MM:SSZ`. */
export interface Postponed {
  readonly attempts: number;
  readonly nextTry: string;
}

/** What a run of a scrubber did. */
export interface RunReport {
  /** How many pieces had which outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of erased data, as far as they were known. */
  readonly bytes: number;
  /** The first few failures, a sentence each. */
  readonly errors: readonly string[];
}

export interface ScrubberRun extends RunReport {
  readonly id: string;
  /** `run`: what was due. `apply`: what a plan said. */
  readonly kind: 'run' | 'apply';
  readonly host: string;
  readonly startedAt: string;
  /** Null while it runs, and of a process that died. */
  readonly finishedAt: string | null;
}

/** Deletions that wait for the scrubber. */
export interface Backlog {
  readonly images: number;
  /** As far as they are known. */
  readonly bytes: number;
  /** When the oldest was deleted; null if there is none. */
  readonly oldest: string | null;
  /** Pieces of work that failed at least once and are tried again. */
  readonly failing: number;
}

/** What the scrubber asks besides `Images` and `Tasks`. The first three only read. */
export interface Scrubbing {
  /** Ordered by `key`. */
  pending(kind: PendingKind, page: PendingPage): Promise<readonly PendingWork[]>;
  /** Data of images that can be downloaded, ordered by `id`; that of one image only, if it is named. */
  located(page: { after?: number; limit: number; imageId?: string }): Promise<readonly LocatedData[]>;
  /**
   * Which of these names, under which a store or the staging area has something, no row refers to; of those that an image
   * cache has, which are of no image, or of a deleted one. `Conflict` if that cannot be told. At most 500.
   */
  unknown(place: 'store' | 'staging' | 'cache', names: readonly string[]): Promise<readonly string[]>;

  /** Takes one piece of work; undefined if it is done, or not to be done any more. `store`: where stuck uploads went. */
  claim(work: { kind: PendingKind; key: string; idleSince: number }, store: string): Promise<ClaimedWork | undefined>;
  /** As `claim` of kind `deletion`, of up to 500 images at once; those that it does not take are left out. */
  claimDeletions(imageIds: readonly string[]): Promise<readonly DueDeletion[]>;
  /** The data of these, up to 500, is erased. Answers with those that are another's now. May be repeated. */
  finishDeletions(works: readonly ClaimedDeletion[]): Promise<readonly ClaimedDeletion[]>;
  /** Nothing was begun under these leases of `claimDeletions`, up to 500: the images wait as before. */
  giveBack(tokens: readonly string[]): Promise<void>;
  /** From now on nobody can store an image of this id. Undefined if a row refers to it. */
  claimOrphan(id: string): Promise<Lease | undefined>;
  /** The store has nothing of it any more. */
  finishOrphan(token: string): Promise<void>;
  /** Forgets a location whose data is missing, of an image that has another; whether there was one to forget. */
  forgetLocation(imageId: string, id: number): Promise<boolean>;
  /** The work of this lease of `Images` failed: it is due again after a while, which doubles each time. */
  postpone(token: string, reason: string): Promise<Postponed>;

  beginRun(run: { kind: ScrubberRun['kind']; host: string }): Promise<string>;
  finishRun(id: string, report: RunReport): Promise<void>;
  /** Newest first, and what waits; for administrators. */
  runs(
    caller: Caller,
    page: { limit: number; marker?: string },
  ): Promise<{ runs: readonly ScrubberRun[]; backlog: Backlog }>;
}

export const SCRUBBING = defineContract<Scrubbing>('scrubbing', {
  pending: { timeout: 30_000, idempotent: true },
  located: { timeout: 30_000, idempotent: true },
  unknown: { timeout: 30_000, idempotent: true },
  claim: { timeout: 30_000, idempotent: false },
  claimDeletions: { timeout: 30_000, idempotent: false },
  finishDeletions: { timeout: 30_000, idempotent: true },
  giveBack: { timeout: 10_000, idempotent: true },
  claimOrphan: { timeout: 10_000, idempotent: false },
  finishOrphan: { timeout: 10_000, idempotent: true },
  forgetLocation: { timeout: 10_000, idempotent: false },
  postpone: { timeout: 10_000, idempotent: false },
  beginRun: { timeout: 10_000, idempotent: false },
  finishRun: { timeout: 10_000, idempotent: true },
  runs: { timeout: 10_000, idempotent: true },
});
