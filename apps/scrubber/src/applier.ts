import { holdLease, isServiceError, type Scrubbing, type Tasks } from '@glance/domain';
import { DeletionPool, type PoolParts } from './deletion-pool.js';
import { finishWork, holdWork, sentence } from './finish-work.js';
import type { InspectedPlace, Inspector } from './inspector.js';
import { idleSinceOf, type PlanHeader, type PlanItem, timeOf } from './plan-item.js';
import { RunLog } from './run-log.js';

export interface ApplierParts extends PoolParts {
  readonly stores: PoolParts['stores'] & {
    /** Removes a piece of trash, unless somebody needs it after all; whether it was there. */
    reclaimOne(store: string, key: string): Promise<boolean>;
  };
  readonly registry: Scrubbing;
  readonly tasks: Pick<Tasks, 'heartbeat' | 'undone' | 'forgetStaging'>;
  readonly inspector: Inspector;
  /** Take what nobody needs out of the staging area and the image cache; absent where this host has none. */
  readonly discard?: Partial<Record<'staging' | 'cache', (name: string, signal: AbortSignal) => Promise<unknown>>>;
  /** Where stuck uploads went. */
  readonly defaultStore: string;
}

/** Where to stop; a plan that is not done can be applied again. */
export interface ApplyLimits {
  readonly items?: number | undefined;
  /** Of what is erased. An item of more than is left ends the run. */
  readonly bytes?: number | undefined;
  /** After which no item is begun. */
  readonly seconds?: number | undefined;
}

/**
 * `deleted`, `undone`: as planned. `gone`: others were faster. `changed`: it is not any more what it was, and stays. `kept`:
 * nothing can be done for it. `inUse`: somebody needs the data.
 */
type ApplyOutcome = 'deleted' | 'undone' | 'gone' | 'changed' | 'kept' | 'inUse' | 'failed';

/** Does what a plan says, and nothing else: every item is looked at again before it is touched. */
export class Applier {
  constructor(private readonly parts: ApplierParts) {}

  /** Answers with what came of it, and whether a limit ended it. Records the run. */
  async apply(
    header: PlanHeader,
    items: AsyncIterable<PlanItem>,
    limits: ApplyLimits,
    signal: AbortSignal,
  ): Promise<{ log: RunLog; limited: boolean }> {
    const log = new RunLog(this.parts.registry, 'apply', this.parts.logger);
    await log.begin();
    const within = new Within(limits);
    const turns = {
      other: (item: PlanItem) => this.one(header, item, log, signal),
      missed: () => log.count('gone'),
      failed: (item: PlanItem, error: unknown) => this.failed(item, error, log),
      over: () => within.late(),
    };
    try {
      await new DeletionPool(this.parts, log).run(within.admitted(items), turns, signal);
    } finally {
      await log.end();
    }
    return { log, limited: within.over };
  }

  /** Does one item, and says in `log` what came of it. */
  async one(header: PlanHeader, item: PlanItem, log: RunLog, signal: AbortSignal): Promise<void> {
    const idleSince = idleSinceOf(header);
    try {
      const outcome = await this.attempt(item, idleSince, log, signal);
      if (outcome) log.count(outcome, outcome === 'deleted' ? (item.bytes ?? 0) : 0);
    } catch (error) {
      this.failed(item, error, log);
    }
  }

  private failed({ kind, image: imageId }: PlanItem, error: unknown, log: RunLog): void {
    const inUse = isServiceError(error, 'DataInUse');
    log.count(inUse ? 'inUse' : 'failed');
    log.error(`${kind} ${imageId}: ${sentence(error)}`);
    if (!inUse) this.parts.logger.warn('An item of the plan failed.', { kind, imageId, error });
  }

  /** Undefined where the log has been told. */
  private async attempt(
    item: PlanItem,
    idleSince: number,
    log: RunLog,
    signal: AbortSignal,
  ): Promise<ApplyOutcome | undefined> {
    const { registry, stores, defaultStore } = this.parts;
    const { kind, key, image } = item;
    if (kind === 'orphan') return this.orphan(item, idleSince, signal);
    if (kind === 'leftover') return this.leftover('staging', item, idleSince, signal);
    if (kind === 'cached') return this.leftover('cache', item, idleSince, signal);
    if (kind === 'missing') return this.missing(image, Number(key), signal);
    if (kind === 'staged') return this.staged(key, signal);
    if (kind === 'trash') return (await stores.reclaimOne(item.store ?? '', key)) ? 'deleted' : 'gone';
    const work = await registry.claim({ kind, key, idleSince }, defaultStore);
    if (!work) return 'gone';
    await finishWork(holdWork(work, this.parts), this.parts, log, signal);
    return undefined;
  }

  private async orphan(item: PlanItem, idleSince: number, signal: AbortSignal): Promise<ApplyOutcome> {
    const { registry, stores, images, inspector } = this.parts;
    const place = inspector.stores.find(({ id }) => id === item.store);
    const claimed = await registry.claimOrphan(item.image);
    if (!claimed) return 'changed';
    const lease = holdLease(images, claimed);
    const either = AbortSignal.any([signal, lease.signal]);
    try {
      const obstacle = await otherwise(place, item, idleSince, either);
      if (obstacle) return obstacle;
      await lease.confirm();
      await stores.discard(item.store ?? '', item.image, either);
      return 'deleted';
    } finally {
      lease.release();
      await registry.finishOrphan(claimed.token).catch(() => undefined);
    }
  }

  private async leftover(
    of: 'staging' | 'cache',
    item: PlanItem,
    idleSince: number,
    signal: AbortSignal,
  ): Promise<ApplyOutcome> {
    const { registry, inspector, discard } = this.parts;
    if (!discard?.[of]) return 'kept';
    if ((await registry.unknown(of, [item.image])).length === 0) return 'changed';
    const obstacle = await otherwise(inspector[of], item, idleSince, signal);
    if (obstacle) return obstacle;
    await discard[of](item.image, signal);
    return 'deleted';
  }

  private async staged(name: string, signal: AbortSignal): Promise<ApplyOutcome> {
    const { tasks, discard } = this.parts;
    if (!discard?.staging) return 'kept';
    await discard.staging(name, signal);
    await tasks.forgetStaging([name]);
    return 'deleted';
  }

  /** Only where the image has another copy that is there. */
  private async missing(imageId: string, id: number, signal: AbortSignal): Promise<ApplyOutcome> {
    const { registry, inspector } = this.parts;
    const locations = await registry.located({ limit: 100, imageId });
    const lost = locations.find((each) => each.id === id);
    if (!lost) return 'gone';
    if (await inspector.has(lost.location, signal)) return 'changed';
    for (const other of locations) {
      if (other.id === id || !(await inspector.has(other.location, signal))) continue;
      return (await registry.forgetLocation(imageId, id)) ? 'undone' : 'changed';
    }
    return 'kept';
  }
}

/** Why the data of an item is not what the plan says. */
async function otherwise(
  place: InspectedPlace | undefined,
  { image, bytes, since, objects }: PlanItem,
  idleSince: number,
  signal: AbortSignal,
): Promise<'gone' | 'changed' | undefined> {
  const held = await place?.holding(image, signal);
  if (!held) return 'gone';
  const same = held.bytes === bytes && held.objects === objects && timeOf(held.modified) === since;
  return same && held.modified <= idleSince ? undefined : 'changed';
}

/** What is left of the limits. */
class Within {
  #items: number;
  #bytes: number;
  readonly #until: number;
  over = false;

  constructor({ items = Infinity, bytes = Infinity, seconds = Infinity }: ApplyLimits) {
    this.#items = items;
    this.#bytes = bytes;
    this.#until = performance.now() + seconds * 1000;
  }

  /** Those for which there is room, up to the first for which there is none. */
  async *admitted(items: AsyncIterable<PlanItem>): AsyncIterable<PlanItem> {
    for await (const item of items) {
      const bytes = item.bytes ?? 0;
      if (this.#items < 1 || this.#bytes < bytes) this.over = true;
      if (this.over || this.late()) return;
      [this.#items, this.#bytes] = [this.#items - 1, this.#bytes - bytes];
      yield item;
    }
  }

  /** Whether the time is up. */
  late(): boolean {
    const late = performance.now() >= this.#until;
    this.over ||= late;
    return late;
  }
}
