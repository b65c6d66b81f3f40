import type { Images, RunReport, Scrubbing } from '@glance/domain';
import { inOwnTrace } from '@glance/tracing';
import { Gauge } from 'prom-client';
import type { Applier } from './applier.js';
import { DeletionPool, type PoolParts } from './deletion-pool.js';
import { finishWork, holdWork } from './finish-work.js';
import type { Inspector } from './inspector.js';
import { pendingItems } from './pending-items.js';
import { idleSinceOf, newHeader, type PlanItem } from './plan-item.js';
import { Planner } from './planner.js';
import { RunLog } from './run-log.js';

/** Removes what a deletion had to leave in stores because others needed it. Tells the bytes of each. */
interface Reclaimer {
  reclaim(signal: AbortSignal, tell: (id: string, error: unknown) => void): AsyncIterable<number>;
}

export interface ScrubberParts extends PoolParts {
  readonly images: PoolParts['images'] & Pick<Images, 'claimDue'>;
  readonly registry: Scrubbing;
  readonly stores: PoolParts['stores'] & Reclaimer;
  /** `abandoned`: only what a dead process left behind. `all`: also deletions whose delay is over. */
  readonly scope: 'abandoned' | 'all';
  /** Also removes what stores have and no row refers to, if it is older than `grace` seconds. Absent: it does not. */
  readonly orphans?: { readonly applier: Applier; readonly inspector: Inspector; readonly grace: number };
}

/**
 * `deleted`: images whose data was erased for good, and orphans. `undone`: interrupted uploads and imports. `inUse`: images
 * whose data somebody uses: they came back, or wait. `failed`: pieces that come up again after a while. Bytes are those
 * that were erased.
 */
export interface ScrubReport {
  readonly deleted: number;
  readonly undone: number;
  readonly inUse: number;
  readonly failed: number;
  readonly bytes: number;
}

const lastRun = new Gauge({
  name: 'glance_scrub_last_run_timestamp_seconds',
  help: 'When a scrubber of this process last found out that nothing more is due.',
});

/** Finishes what was begun and not finished. Any number of them may run at once. */
export class Scrubber {
  constructor(private readonly parts: ScrubberParts) {}

  /** Does all the work that is due now, and says what came of it. Stops early, at a border, when `signal` fires. */
  run(signal: AbortSignal): Promise<ScrubReport> {
    return inOwnTrace({ name: 'scrub', kind: 'internal' }, () => this.round(signal));
  }

  private async round(signal: AbortSignal): Promise<ScrubReport> {
    const { images, registry, logger, poolSize, scope } = this.parts;
    const log = new RunLog(registry, 'run', logger);
    try {
      while (!signal.aborted) {
        const due = await images.claimDue(poolSize, 'abandoned');
        if (due.length === 0) break;
        await log.begin();
        const held = due.map((work) => holdWork(work, this.parts));
        await Promise.all(held.map((work) => finishWork(work, this.parts, log, signal)));
      }
      if (scope === 'all') {
        await this.eraseDeleted(log, signal);
        await this.reclaim(log, signal);
      }
      await this.removeOrphans(log, signal);
    } finally {
      await log.end();
    }
    lastRun.setToCurrentTime();
    const report = reportOf(log.report);
    if (Object.values(report).some((count) => count > 0)) logger.info('Scrubbed.', { ...report });
    return report;
  }

  /** Of images whose delay is over. */
  private async eraseDeleted(log: RunLog, signal: AbortSignal): Promise<void> {
    const { registry, logger } = this.parts;
    const turns = {
      other: () => Promise.resolve(),
      // Another scrubber has it.
      missed: () => undefined,
      failed: ({ image: imageId }: PlanItem, error: unknown) => {
        log.count('failed');
        logger.warn('A deletion could not be claimed and is tried again later.', { imageId, error });
      },
      over: () => false,
    };
    const due = pendingItems(registry, 'deletion', { host: null, idleSince: 0 });
    await new DeletionPool(this.parts, log).run(due, turns, signal);
  }

  private async reclaim(log: RunLog, signal: AbortSignal): Promise<void> {
    const { stores, logger } = this.parts;
    const tell = (id: string, error: unknown): void =>
      logger.warn(`The store ${id} could not be searched for data that nobody needs any more.`, { error });
    for await (const bytes of stores.reclaim(signal, tell)) {
      await log.begin();
      log.count('reclaimed', bytes);
    }
  }

  private async removeOrphans(log: RunLog, signal: AbortSignal): Promise<void> {
    const { orphans, registry, logger } = this.parts;
    if (!orphans) return;
    const { applier, inspector, grace } = orphans;
    const header = newHeader(grace);
    const planner = new Planner({ registry, inspector, logger, host: null, idleSince: idleSinceOf(header) });
    for (const place of inspector.stores) {
      try {
        for await (const item of planner.orphans(place, signal)) {
          if (signal.aborted) return;
          await log.begin();
          await applier.one(header, item, log, signal);
        }
      } catch (error) {
        logger.warn(`The store ${place.id} could not be searched for data that no image refers to.`, { error });
      }
    }
  }
}

function reportOf({ outcomes, bytes }: RunReport): ScrubReport {
  const { deleted = 0, undone = 0, inUse = 0, failed = 0 } = outcomes;
  return { deleted, undone, inUse, failed, bytes };
}
