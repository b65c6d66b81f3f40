import { setTimeout as delay } from 'node:timers/promises';
import {
  type ClaimedTask,
  type HeldLease,
  holdLease,
  isServiceError,
  type Logger,
  ServiceError,
  type Tasks,
} from '@glance/domain';
import { type CopyParts, importCopy } from './import-copy.js';
import { type LocationParts, registerLocation } from './register-location.js';
import { type ImportOutcome, timedImport } from './import-metrics.js';
import { Meter } from './meter.js';
import { whyFailed } from './why-failed.js';

export interface ImportParts extends CopyParts, LocationParts {
  readonly tasks: Tasks;
  readonly logger: Logger;
}

/** Milliseconds in which a store must have discarded what an import has left. */
const discardTime = 60_000;
/** Milliseconds between two calls of a registry that does not answer. */
const pause = 1_000;

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
    const renewLease = (token: string, size?: number) =>
      parts.tasks.heartbeat(token, this.duty, this.meter.report(), size);
    this.lease = holdLease({ renewLease }, task.lease);
    this.signal = AbortSignal.any([stop, this.lease.signal]);
    const unsettled = task.targets.filter(({ located, state }) => !located && state !== 'failed');
    const before =
      task.attempt > 1 || task.duty === 'undo' ? unsettled : unsettled.filter(({ state }) => state === 'written');
    // What was registered is not of our making: it is never discarded.
    this.dirty = new Set(task.method === 'add-location' ? [] : before.map(({ store }) => store));
  }

  end(): Promise<void> {
    return timedImport(this.task, () => this.outcome());
  }

  private async outcome(): Promise<ImportOutcome> {
    try {
      if (this.duty === 'run') await this.attempt();
      if (this.duty === 'run') return 'success';
      await this.undo();
      return 'failure';
    } catch (error) {
      await this.leave(error);
      return 'left';
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
      if (this.signal.aborted || isServiceError(error, 'Gone')) throw error;
      const { step } = this.meter;
      logger.warn('An import failed and is undone.', { taskId: id, imageId, step, error });
      await this.insist(() => tasks.giveUp(lease.token, whyFailed(this.task.method, step, error)));
      this.duty = 'undo';
    }
  }

  private async perform(): Promise<void> {
    const { tasks } = this.parts;
    const { image, targets, mustSucceed, lease, id } = this.task;
    if (!image) throw new ServiceError('Gone', 'The image was deleted.');
    const { task, meter, signal } = this;
    const confirm = (size: number) => this.insist(() => this.lease.confirm(size));
    if (task.method === 'add-location') {
      await registerLocation(this.parts, { task, image, meter, signal, confirm, insist: (call) => this.insist(call) });
      await this.insist(() => tasks.finish(id, lease.token));
      return;
    }
    const waiting = targets.filter(({ state }) => state === 'waiting').map(({ store }) => store);
    this.meter.step = 'clean';
    for (const store of waiting) await this.discard(store);
    if (waiting.length > 0) {
      const { poured, data } = await importCopy(this.parts, { task, image, targets: waiting, meter, signal, confirm });
      for (const { store, location, error } of poured) {
        if (location || error?.details['leftovers'] === true) this.dirty.add(store);
      }
      const failure = poured.find(({ error }) => error)?.error;
      const stored = poured.some(({ location }) => location) || targets.some(({ state }) => state === 'written');
      if (failure && (mustSucceed || !stored)) throw failure;
      this.meter.step = 'finish';
      for (const { store, location, error } of poured) {
        if (location && data) await this.insist(() => tasks.written(lease.token, store, { ...data, location }));
        else await this.tellFailed(store, error);
      }
    }
    this.meter.step = 'finish';
    await this.insist(() => tasks.finish(id, lease.token));
  }

  private async tellFailed(store: string, error: ServiceError | undefined): Promise<void> {
    await this.discard(store);
    const reason = whyFailed('one store', 'write', error);
    await this.insist(() => this.parts.tasks.failed(this.task.lease.token, store, reason));
  }

  private async undo(): Promise<void> {
    this.meter.step = 'undo';
    for (const store of this.dirty) await this.discard(store);
    await this.insist(() => this.parts.tasks.undone(this.task.id, this.task.lease.token));
  }

  /** A registry that is away for a moment must not fail an import: it is asked again as long as the lease holds. */
  private async insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isServiceError(error, 'Unavailable') || this.signal.aborted) throw error;
        await delay(pause, undefined, { signal: this.signal });
      }
    }
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
