import {
  type ClaimedTask,
  type HeldLease,
  holdLease,
  type Image,
  type ImportedData,
  isServiceError,
  type Logger,
  ServiceError,
  type Tasks,
} from '@glance/domain';
import { digests, type Stores } from '@glance/store';
import { atTheEnd } from '../images/at-the-end.js';
import type { Inspection } from '../images/inspect-image.js';
import { Meter } from './meter.js';
import { type Poured, pour } from './pour.js';
import type { Source } from './source.js';
import { whyFailed } from './why-failed.js';

export interface ImportParts {
  readonly tasks: Tasks;
  readonly stores: Stores;
  readonly logger: Logger;
  /** Computes `os_hash_value`. */
  readonly hashAlgorithm: string;
  readonly inspect: (image: Image) => Inspection;
  /** Where the bytes of a task come from. */
  readonly sourceOf: (task: ClaimedTask, image: Image) => Source;
}

/** Milliseconds in which a store must have discarded what an import has left. */
const discardTime = 60_000;

/**
 * One import, by whoever has claimed it: from its source into all of its stores, or, when it is given up, back to where
 * it began. Ends early, with everything left to the next, when the lease is lost or `stop` fires.
 */
export class ImportRun {
  private readonly meter = new Meter();
  private readonly lease: HeldLease;
  private readonly signal: AbortSignal;
  private duty: ClaimedTask['duty'];
  /** Stores that may have something of this image that it does not refer to. */
  private readonly dirty: Set<string>;

  constructor(
    private readonly parts: ImportParts,
    private readonly task: ClaimedTask,
    private readonly stop: AbortSignal,
  ) {
    this.duty = task.duty;
    const renewLease = (token: string) => parts.tasks.heartbeat(token, this.duty, this.meter.report());
    this.lease = holdLease({ renewLease }, task.lease);
    this.signal = AbortSignal.any([stop, this.lease.signal]);
    const unsettled = task.targets.filter(({ located, state }) => !located && state !== 'failed');
    const before =
      task.attempt > 1 || task.duty === 'undo' ? unsettled : unsettled.filter(({ state }) => state === 'written');
    this.dirty = new Set(before.map(({ store }) => store));
  }

  async end(): Promise<void> {
    try {
      if (this.duty === 'run') await this.attempt();
      if (this.duty === 'undo') await this.undo();
    } catch (error) {
      await this.leave(error);
    } finally {
      this.lease.release();
    }
  }

  private async attempt(): Promise<void> {
    const { tasks, logger } = this.parts;
    const { id, imageId, lease } = this.task;
    try {
      await this.perform();
    } catch (error) {
      if (this.signal.aborted || isServiceError(error, 'Unavailable', 'Gone')) throw error;
      const { step } = this.meter;
      logger.warn('An import failed and is undone.', { taskId: id, imageId, step, error });
      await tasks.giveUp(lease.token, whyFailed(this.task, step, error));
      this.duty = 'undo';
    }
  }

  private async perform(): Promise<void> {
    const { tasks } = this.parts;
    const { image, targets, mustSucceed, lease, id } = this.task;
    if (!image) throw new ServiceError('Gone', 'The image was deleted.');
    const waiting = targets.filter(({ state }) => state === 'waiting').map(({ store }) => store);
    this.meter.step = 'clean';
    for (const store of waiting) await this.discard(store);
    if (waiting.length > 0) {
      const { poured, data } = await this.copy(image, waiting);
      const failure = poured.find(({ error }) => error)?.error;
      const stored = poured.some(({ location }) => location) || targets.some(({ state }) => state === 'written');
      if (failure && (mustSucceed || !stored)) throw failure;
      this.meter.step = 'finish';
      for (const { store, location, error } of poured) {
        if (location && data) await tasks.written(lease.token, store, { ...data, location });
        else await this.tellFailed(store, error);
      }
    }
    this.meter.step = 'finish';
    await tasks.finish(id, lease.token);
  }

  /** One stream for all stores. `data` is known if at least one of them has it all. */
  private async copy(
    image: Image,
    stores: readonly string[],
  ): Promise<{ poured: Poured[]; data: Omit<ImportedData, 'location'> | undefined }> {
    const { hashAlgorithm, inspect, sourceOf } = this.parts;
    const { maxSize, mustSucceed, method } = this.task;
    this.meter.step = 'read';
    const source = await sourceOf(this.task, image).open(this.signal);
    this.meter.step = 'write';
    const digest = digests(['md5', hashAlgorithm]);
    // The bytes of an active image have been judged.
    const inspection = method === 'copy-image' ? undefined : inspect(image);
    let facts: Omit<ImportedData, 'location' | 'size'> | undefined;
    const settled = atTheEnd(async () => {
      this.meter.step = 'inspect';
      const { virtualSize } = inspection?.judge() ?? image;
      const hex: Readonly<Record<string, string>> = digest.result();
      facts = {
        virtualSize,
        checksum: hex['md5']!,
        osHashAlgo: hashAlgorithm,
        osHashValue: hex[hashAlgorithm]!,
      };
      if (method === 'copy-image') assertSame(image, facts);
      await this.lease.confirm();
      this.meter.step = 'write';
    });
    const taps = [digest, ...(inspection ? [inspection.tap] : []), settled];
    const data = taps.reduce((bytes, tap) => tap.through(bytes), this.meter.through(source.data, source.size));
    const writing = { id: image.id, data, size: source.size, maxSize, signal: this.signal, allOrNothing: mustSucceed };
    const poured = await pour(this.parts.stores, stores, writing);
    for (const { store, location, error } of poured) {
      if (location || error?.details['leftovers'] === true) this.dirty.add(store);
    }
    const size = poured.find(({ location }) => location)?.size;
    return { poured, data: facts && size !== undefined ? { ...facts, size } : undefined };
  }

  private async tellFailed(store: string, error: ServiceError | undefined): Promise<void> {
    await this.discard(store);
    await this.parts.tasks.failed(this.task.lease.token, store, whyFailed(this.task, 'write', error));
  }

  private async undo(): Promise<void> {
    this.meter.step = 'undo';
    for (const store of this.dirty) await this.discard(store);
    await this.parts.tasks.undone(this.task.id, this.task.lease.token);
  }

  private async discard(store: string): Promise<void> {
    if (!this.dirty.has(store)) return;
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(discardTime)]);
    await this.parts.stores.discard(store, this.task.imageId, signal);
    this.dirty.delete(store);
  }

  /** The task is somebody else's from now on: at once if that can be said, or when the lease has run out. */
  private async leave(error: unknown): Promise<void> {
    const { tasks, logger } = this.parts;
    const { id, imageId } = this.task;
    if (!this.stop.aborted) logger.warn('An import is left to whoever claims it next.', { taskId: id, imageId, error });
    if (!this.stop.aborted && !this.lease.signal.aborted && !isServiceError(error, 'Gone')) return;
    await tasks.release(this.task.lease.token).catch(() => undefined);
  }
}

/** Refuses to call copies what is not the same. */
function assertSame(image: Image, copy: Pick<Image, 'checksum' | 'osHashAlgo' | 'osHashValue'>): void {
  const sameDigest = image.checksum === null || image.checksum === copy.checksum;
  const comparable = image.osHashAlgo === copy.osHashAlgo && image.osHashValue !== null;
  if (sameDigest && (!comparable || image.osHashValue === copy.osHashValue)) return;
  throw new ServiceError('UnsafeImage', 'The stored data is not what the checksums of the image say: it is damaged.');
}
