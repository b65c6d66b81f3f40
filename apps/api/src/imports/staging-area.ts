import {
  type Caller,
  holdLease,
  type Images,
  isServiceError,
  type Logger,
  type Staging,
  type Tasks,
} from '@glance/domain';
import type { Bytes, Store } from '@glance/store';
import { atTheEnd } from '../images/at-the-end.js';

/** Where data waits for its import. */
export interface StagingPlace {
  /** The URL of this host, if other hosts cannot reach what is there. */
  readonly host: string | null;
  readonly store: Store;
  /** A directory of this machine for what is made of staged data. */
  readonly scratchDirectory: string;
}

export interface StagingParts {
  readonly images: Pick<Images, 'renewLease' | 'cancelUpload'>;
  readonly tasks: Tasks;
  readonly place: StagingPlace;
  readonly logger: Logger;
}

interface IncomingData {
  open(): Bytes;
  readonly size: number | undefined;
  readonly signal: AbortSignal;
}

/** Milliseconds in which a store must have discarded one piece of staged data. */
const discardTime = 60_000;
const discardLimit = 20;

/** Takes data in for imports, and throws it away when nobody needs it any more. */
export class StagingArea {
  constructor(private readonly parts: StagingParts) {}

  get host(): string | null {
    return this.parts.place.host;
  }

  get store(): Store {
    return this.parts.place.store;
  }

  /** queued → uploading, with the data staged; or back to queued. */
  async stage(caller: Caller, id: string, incoming: IncomingData): Promise<void> {
    const { images, tasks } = this.parts;
    const { host } = this;
    const staging = await tasks.beginStage(caller, id, { host, size: incoming.size ?? null });
    const lease = holdLease(images, staging.lease);
    try {
      const stored = await this.write(staging, incoming, lease.signal, (bytes) => lease.confirm(bytes));
      await tasks.finishStage(staging.lease.token, stored);
    } catch (error) {
      const cause: unknown = lease.signal.aborted ? lease.signal.reason : error;
      await this.cancel(staging.lease.token, cause);
      throw cause;
    } finally {
      lease.release();
    }
  }

  /** Throws away what nobody needs any more. */
  async tidy(): Promise<void> {
    const { tasks, logger } = this.parts;
    const names = await tasks.abandonedStaging(this.host, discardLimit);
    const gone: string[] = [];
    for (const name of names) {
      try {
        await this.store.discard(name, AbortSignal.timeout(discardTime));
        gone.push(name);
      } catch (error) {
        logger.warn('Staged data that nobody needs could not be discarded; it is tried again.', { name, error });
      }
    }
    if (gone.length > 0) await tasks.forgetStaging(gone);
  }

  private async write(
    { name, maxSize }: Staging,
    { open, size, signal }: IncomingData,
    lost: AbortSignal,
    confirm: (size: number) => Promise<void>,
  ): Promise<{ url: string; size: number }> {
    return this.store.write({
      id: name,
      data: open(),
      taps: [atTheEnd(confirm)],
      size,
      maxSize,
      signal: AbortSignal.any([signal, lost]),
    });
  }

  /** The lease runs out anyway: a registry that does not answer must not hide why staging failed. */
  private async cancel(token: string, reason: unknown): Promise<void> {
    try {
      await this.parts.images.cancelUpload(token, isServiceError(reason) ? reason.message : undefined);
      await this.tidy();
    } catch (error) {
      this.parts.logger.warn('Data that could not be staged is left to the scrubber.', { error });
    }
  }
}
