import {
  type ClaimedWork,
  type HeldLease,
  holdLease,
  type ImageLocation,
  type Images,
  isServiceError,
  type Logger,
  type Scrubbing,
  type Tasks,
} from '@glance/domain';
import type { RunLog } from './run-log.js';

/** What the scrubber needs of the stores. */
export interface Eraser {
  /** Erases every copy; one that is gone already is no error. `DataInUse` if somebody uses one. */
  erase(locations: readonly ImageLocation[], signal: AbortSignal): Promise<void>;
  /** Erases what an interrupted upload left in a store. */
  discard(store: string, imageId: string, signal: AbortSignal): Promise<void>;
}

export interface FinishParts {
  readonly images: Pick<Images, 'renewLease' | 'cancelUpload' | 'finishDelete' | 'cancelDelete'>;
  readonly tasks: Pick<Tasks, 'heartbeat' | 'undone'>;
  readonly registry: Pick<Scrubbing, 'postpone'>;
  readonly stores: Eraser;
  readonly logger: Logger;
}

/** Work, and the lease on it. */
export interface HeldWork {
  readonly work: ClaimedWork;
  readonly lease: HeldLease;
}

export function holdWork(work: ClaimedWork, { images, tasks }: FinishParts): HeldWork {
  const renewLease = (token: string): ReturnType<Images['renewLease']> =>
    work.kind === 'import' ? tasks.heartbeat(token, 'undo', null) : images.renewLease(token);
  return { work, lease: holdLease({ renewLease }, work.lease) };
}

/** Finishes, or undoes, one piece of work, and says in `log` what came of it. What fails is tried again later. */
export async function finishWork(
  { work, lease }: HeldWork,
  parts: FinishParts,
  log: RunLog,
  signal: AbortSignal,
): Promise<void> {
  const either = AbortSignal.any([signal, lease.signal]);
  let cleared = false;
  try {
    const inUse = await clear(work, parts.stores, either);
    cleared = true;
    const outcome = await record(work, inUse, parts);
    log.count(outcome, outcome === 'deleted' && work.kind === 'delete' ? (work.bytes ?? 0) : 0);
  } catch (error) {
    log.count('failed');
    log.error(`Image ${work.imageId}: ${sentence(error)}`);
    // Who was told to stop has not failed; a lease that is lost is another's. What only the registry does not know yet
    // waits for nothing but the end of the lease: the next one finds the stores clear.
    const later = !cleared && !either.aborted && work.kind !== 'import';
    const next = later ? await postpone(work, parts, error) : undefined;
    const message = 'Scrubbing an image failed and is tried again later.';
    parts.logger.warn(message, { imageId: work.imageId, ...next, error });
  } finally {
    lease.release();
  }
}

/** Rids the stores of what nobody needs; true if somebody uses it. */
async function clear(work: ClaimedWork, stores: Eraser, signal: AbortSignal): Promise<boolean> {
  if (work.kind === 'delete') {
    try {
      await stores.erase(work.locations, signal);
    } catch (error) {
      if (!isServiceError(error, 'DataInUse')) throw error;
      return true;
    }
  } else if (work.kind === 'import') {
    for (const store of work.stores) await stores.discard(store, work.imageId, signal);
  } else if (work.kind === 'upload') {
    await stores.discard(work.store, work.imageId, signal);
  }
  return false;
}

async function record(
  work: ClaimedWork,
  inUse: boolean,
  { images, tasks }: FinishParts,
): Promise<'deleted' | 'undone' | 'inUse'> {
  const { token } = work.lease;
  if (work.kind === 'delete') {
    await (inUse ? images.cancelDelete(token) : images.finishDelete(token));
    return inUse ? 'inUse' : 'deleted';
  }
  await (work.kind === 'import' ? tasks.undone(work.taskId, token) : images.cancelUpload(token));
  return 'undone';
}

/** Of a registry that does not answer, the lease runs out by itself. */
async function postpone(
  { lease }: ClaimedWork,
  { registry }: FinishParts,
  error: unknown,
): Promise<{ attempts: number; nextTry: string } | undefined> {
  return registry.postpone(lease.token, sentence(error)).catch(() => undefined);
}

/** Of errors that are no `ServiceError`, only their name: they may have anything in them. */
export function sentence(error: unknown): string {
  return isServiceError(error) ? error.message : `It failed for a reason that the log has (${(error as Error).name}).`;
}
