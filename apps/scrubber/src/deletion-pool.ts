import type { Scrubbing } from '@glance/domain';
import { type FinishParts, finishWork, type HeldWork, holdWork } from './finish-work.js';
import { Gathered, mostAtOnce } from './gathered.js';
import type { PlanItem } from './plan-item.js';
import type { RunLog } from './run-log.js';

export interface PoolParts extends FinishParts {
  readonly registry: Pick<Scrubbing, 'claimDeletions' | 'finishDeletions' | 'giveBack' | 'postpone'>;
  /** How many pieces of work are done at the same time. */
  readonly poolSize: number;
}

/** What is done with pieces of a plan besides erasing. */
export interface PoolTurns {
  /** Does what is no deletion. */
  other(item: PlanItem): Promise<void>;
  /** A deletion that others have begun, or that is not due any more. */
  missed(item: PlanItem): void;
  /** It could not be claimed. */
  failed(item: PlanItem, error: unknown): void;
  /** Whether no more is to be begun; asked before each. */
  over(): boolean;
}

/** A piece of a plan whose turn comes. */
interface Turn {
  readonly item: PlanItem;
  readonly claimed?: HeldWork;
  readonly error?: unknown;
}

/** Milliseconds of work that is claimed at a time. */
const stretch = 1000;

/**
 * Does pieces of a plan, several at the same time. Deletions are claimed a stretch ahead of their turn, and finished
 * together, while others are being erased already: one by one, most of the time would go to transactions.
 */
export class DeletionPool {
  readonly #parts: PoolParts;
  readonly #log: RunLog;
  readonly #gathered: Gathered;
  readonly #unfinished = new Set<Promise<void>>();
  /** How many are claimed at a time. */
  #size: number;

  constructor(parts: PoolParts, log: RunLog) {
    this.#parts = parts;
    this.#log = log;
    this.#gathered = new Gathered((works) => parts.registry.finishDeletions(works));
    this.#size = parts.poolSize;
  }

  /** Ends when all is done, or `turns` say that it is over; what was claimed and not begun is given back. */
  async run(items: AsyncIterable<PlanItem>, turns: PoolTurns, signal: AbortSignal): Promise<void> {
    const queue = this.#queue(items, () => signal.aborted || turns.over());
    const work = async (): Promise<void> => {
      for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
        const { item, claimed, error } = next.value;
        if (item.kind !== 'deletion') await turns.other(item);
        else if (claimed) await this.#erase(claimed, signal);
        else if (error === undefined) turns.missed(item);
        else turns.failed(item, error);
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: this.#parts.poolSize }, work));
    await Promise.all(this.#unfinished);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Resolves when the data is erased, and not too many wait for being finished. */
  async #erase(held: HeldWork, signal: AbortSignal): Promise<void> {
    const erased = Promise.withResolvers<void>();
    const finishDelete = (token: string): Promise<void> => {
      erased.resolve();
      return this.#gathered.finish({ imageId: held.work.imageId, token });
    };
    const parts = { ...this.#parts, images: { ...this.#parts.images, finishDelete } };
    const done = finishWork(held, parts, this.#log, signal).finally(() => {
      erased.resolve();
      this.#unfinished.delete(done);
    });
    this.#unfinished.add(done);
    await erased.promise;
    await this.#gathered.room();
  }

  async *#queue(items: AsyncIterable<PlanItem>, over: () => boolean): AsyncGenerator<Turn, void> {
    const batches = this.#batches(items);
    let next = batches.next();
    let left: Turn[] = [];
    try {
      for (;;) {
        const batch = await next;
        if (batch.done === true) return;
        next = batches.next();
        // Whoever waits for it sees the failure.
        next.catch(() => undefined);
        left = batch.value;
        const [began, count] = [performance.now(), left.length];
        while (left.length > 0) {
          if (over()) return;
          yield left.shift()!;
        }
        const rate = count / Math.max(1, performance.now() - began);
        this.#size = Math.max(this.#parts.poolSize, Math.min(mostAtOnce, Math.round(rate * stretch)));
      }
    } finally {
      const { value: ahead } = await next.catch(() => ({ value: undefined }));
      await batches.return();
      await this.#giveBack([...left, ...(ahead ?? [])]);
    }
  }

  async *#batches(items: AsyncIterable<PlanItem>): AsyncGenerator<Turn[], void> {
    let batch: PlanItem[] = [];
    for await (const item of items) {
      batch.push(item);
      if (batch.length < Math.min(this.#size, mostAtOnce)) continue;
      yield await this.#claim(batch);
      batch = [];
    }
    if (batch.length > 0) yield await this.#claim(batch);
  }

  async #claim(batch: readonly PlanItem[]): Promise<Turn[]> {
    const ids = batch.filter(({ kind }) => kind === 'deletion').map(({ key }) => key);
    if (ids.length === 0) return batch.map((item) => ({ item }));
    const { registry } = this.#parts;
    try {
      const works = await registry.claimDeletions(ids);
      const claimed = new Map(works.map((work) => [work.imageId, holdWork(work, this.#parts)]));
      if (claimed.size > 0) await this.#log.begin();
      return batch.map((item) => {
        const mine = item.kind === 'deletion' ? claimed.get(item.key) : undefined;
        // A plan may say it twice.
        claimed.delete(item.key);
        return mine ? { item, claimed: mine } : { item };
      });
    } catch (error) {
      return batch.map((item) => ({ item, error }));
    }
  }

  async #giveBack(turns: readonly Turn[]): Promise<void> {
    const leases = turns.flatMap(({ claimed }) => (claimed ? [claimed.lease] : []));
    for (const lease of leases) lease.release();
    for (let start = 0; start < leases.length; start += mostAtOnce) {
      const tokens = leases.slice(start, start + mostAtOnce).map(({ token }) => token);
      // Else they run out.
      await this.#parts.registry.giveBack(tokens).catch(() => undefined);
    }
  }
}
