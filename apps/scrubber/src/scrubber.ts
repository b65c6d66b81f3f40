import { type DueWork, holdLease, type ImageLocation, type Images, isServiceError, type Logger } from '@glance/domain';

/** What the scrubber needs of the stores. */
export interface Eraser {
  /** Erases every copy; one that is gone already is no error. `DataInUse` if somebody uses one. */
  erase(locations: readonly ImageLocation[], signal: AbortSignal): Promise<void>;
  /** Erases what an interrupted upload left in a store. */
  discard(store: string, imageId: string, signal: AbortSignal): Promise<void>;
}

export interface ScrubberParts {
  readonly images: Images;
  readonly stores: Eraser;
  readonly logger: Logger;
  /** How many pieces of work are done at the same time. */
  readonly poolSize: number;
  /** `abandoned`: only what a dead process left behind. `all`: also deletions whose delay is over. */
  readonly scope: 'abandoned' | 'all';
}

export interface ScrubReport {
  /** Images whose data was erased for good. */
  readonly deleted: number;
  /** Interrupted uploads that were undone. */
  readonly undone: number;
  /** Images that came back because their data is in use. */
  readonly inUse: number;
  /** Pieces of work that did not succeed; they come up again when their lease runs out. */
  readonly failed: number;
}

type Outcome = keyof ScrubReport;

/** Finishes what was begun and not finished. Any number of them may run at once. */
export class Scrubber {
  constructor(private readonly parts: ScrubberParts) {}

  /** Does all the work that is due now, and says what came of it. Stops early, at a border, when `signal` fires. */
  async run(signal: AbortSignal): Promise<ScrubReport> {
    const report = { deleted: 0, undone: 0, inUse: 0, failed: 0 };
    while (!signal.aborted) {
      const due = await this.parts.images.claimDue(this.parts.poolSize, this.parts.scope);
      if (due.length === 0) break;
      for (const outcome of await Promise.all(due.map((work) => this.attempt(work, signal)))) report[outcome]++;
    }
    if (Object.values(report).some((count) => count > 0)) this.parts.logger.info('Scrubbed.', { ...report });
    return report;
  }

  private async attempt(work: DueWork, signal: AbortSignal): Promise<Outcome> {
    const lease = holdLease(this.parts.images, work.lease);
    try {
      return await this.finish(work, AbortSignal.any([signal, lease.signal]));
    } catch (error) {
      this.parts.logger.warn('Scrubbing an image failed and is tried again later.', { imageId: work.imageId, error });
      return 'failed';
    } finally {
      lease.release();
    }
  }

  private async finish(work: DueWork, signal: AbortSignal): Promise<Outcome> {
    const { images, stores } = this.parts;
    const { token } = work.lease;
    if (work.kind !== 'delete') {
      if (work.kind === 'upload') await stores.discard(work.store, work.imageId, signal);
      await images.cancelUpload(token);
      return 'undone';
    }
    try {
      await stores.erase(work.locations, signal);
    } catch (error) {
      if (!isServiceError(error, 'DataInUse')) throw error;
      await images.cancelDelete(token);
      return 'inUse';
    }
    await images.finishDelete(token);
    return 'deleted';
  }
}
