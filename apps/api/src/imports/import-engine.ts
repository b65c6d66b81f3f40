import type { ClaimedTask } from '@glance/domain';
import { inRequest } from '@glance/rpc';
import type { Traffic } from '../http/traffic.js';
import { type ImportParts, ImportRun } from './import-run.js';
import type { StagingArea } from './staging-area.js';

export interface EngineParts extends ImportParts {
  readonly staging: StagingArea;
  readonly traffic: Traffic;
  /** How many tasks run here at the same time. */
  readonly poolSize: number;
  /** Milliseconds between two looks for work. */
  readonly interval: number;
}

/**
 * Works off the queue of tasks, together with the engines of all other api processes. Takes nothing new once the
 * service is about to stop; what is running then has the time that transfers have.
 */
export class ImportEngine {
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private readonly looking: Promise<void>;
  private wakeUp: () => void = () => undefined;
  private woken = false;

  constructor(private readonly parts: EngineParts) {
    void parts.scratch.tidy().catch((error: unknown) => parts.logger.warn('Old scratch files stay.', { error }));
    this.looking = this.look();
  }

  /** There may be work: do not wait for the next look. */
  wake(): void {
    this.woken = true;
    this.wakeUp();
  }

  /** Leaves what is running to others. */
  async close(): Promise<void> {
    this.stopping.abort();
    this.wakeUp();
    await this.looking;
    await Promise.all(this.running);
  }

  private async look(): Promise<void> {
    const { logger } = this.parts;
    while (!this.stopping.signal.aborted) {
      this.woken = false;
      try {
        await this.takeWork();
      } catch (error) {
        logger.warn('The engine of imports could not ask for work.', { error });
      }
      await this.pause();
    }
  }

  private async takeWork(): Promise<void> {
    const { tasks, staging, traffic, poolSize } = this.parts;
    if (traffic.leaving) return;
    const limit = poolSize - this.running.size;
    for (const task of await tasks.claim({ host: staging.host, limit })) this.begin(task);
    await staging.tidy();
  }

  private begin(task: ClaimedTask): void {
    const request = task.requestId === undefined ? undefined : { requestId: task.requestId };
    const run = inRequest(request, () => new ImportRun(this.parts, task, this.stopping.signal).end());
    const counted = this.parts.traffic.during(run).finally(() => {
      this.running.delete(counted);
      this.wake();
    });
    this.running.add(counted);
  }

  private async pause(): Promise<void> {
    if (this.woken || this.stopping.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wakeUp = resolve;
    const timer = setTimeout(resolve, this.parts.interval);
    await promise;
    clearTimeout(timer);
  }
}
