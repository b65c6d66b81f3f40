import { isServiceError, type LocatedData, type Logger, pendingKinds, type Scrubbing } from '@glance/domain';
import type { InspectedPlace, InspectedStore, Inspector } from './inspector.js';
import { pageSize, pendingItems } from './pending-items.js';
import { type PlanItem, timeOf } from './plan-item.js';

export interface PlannerParts {
  /** Only what reads. */
  readonly registry: Pick<Scrubbing, 'pending' | 'located' | 'unknown'>;
  readonly inspector: Inspector;
  readonly logger: Logger;
  /** Whose staging area is reached, besides shared ones. */
  readonly host: string | null;
  /** Milliseconds of the epoch: what was changed later is left alone. */
  readonly idleSince: number;
}

/** What a place can have that nobody needs. */
const left = {
  store: { kind: 'orphan', why: 'The store has data that no image refers to.' },
  staging: { kind: 'leftover', why: 'The staging area has data that no import needs.' },
  cache: { kind: 'cached', why: 'The image cache has data of an image that is deleted, or never was.' },
} as const;

/** Locations that are looked for at a time. */
const parallel = 8;

/** Says what there is to do, and why. Changes nothing, and holds a page at a time. */
export class Planner {
  constructor(private readonly parts: PlannerParts) {}

  async *items(signal: AbortSignal): AsyncIterable<PlanItem> {
    const { stores, staging, cache } = this.parts.inspector;
    const { registry, host, idleSince } = this.parts;
    for (const kind of pendingKinds) yield* pendingItems(registry, kind, { host, idleSince });
    const reached = new Set<string>();
    for (const place of stores) {
      if (yield* this.tried(`the store ${place.id}`, this.ofStore(place, signal), signal)) reached.add(place.id);
    }
    if (staging) yield* this.leftIn(staging, 'staging', signal);
    if (cache) yield* this.tried('the image cache', this.leftIn(cache, 'cache', signal), signal);
    yield* this.missing(reached, signal);
  }

  /** What a store has and no row refers to. */
  orphans(place: InspectedPlace, signal: AbortSignal): AsyncIterable<PlanItem> {
    return this.leftIn(place, 'store', signal);
  }

  /** Whether they could be had: what other places have can be said all the same. */
  private async *tried(
    what: string,
    items: AsyncIterable<PlanItem>,
    signal: AbortSignal,
  ): AsyncGenerator<PlanItem, boolean> {
    try {
      yield* items;
      return true;
    } catch (error) {
      if (!isServiceError(error) || error.code === 'Conflict' || signal.aborted) throw error;
      this.parts.logger.warn(`The plan leaves out ${what}, which does not answer.`, { error });
      return false;
    }
  }

  private async *ofStore(place: InspectedStore, signal: AbortSignal): AsyncIterable<PlanItem> {
    yield* this.orphans(place, signal);
    yield* this.trash(place, signal);
  }

  private async *trash(place: InspectedStore, signal: AbortSignal): AsyncIterable<PlanItem> {
    const why = 'A deletion had to keep the data for others, and nobody needs it any more.';
    for await (const { key, id: image, bytes, deleted } of place.trash(signal)) {
      yield { kind: 'trash', key, image, store: place.id, bytes, since: timeOf(deleted), why };
    }
  }

  private async *leftIn(place: InspectedPlace, of: keyof typeof left, signal: AbortSignal): AsyncIterable<PlanItem> {
    const said = new Set<string>();
    for await (const page of pages(place.ids(signal))) {
      for (const id of await this.parts.registry.unknown(of, page)) {
        const held = said.has(id) ? undefined : await place.holding(id, signal);
        // A place may name an id once for each piece that it has of it.
        if (!held || held.modified > this.parts.idleSince) continue;
        said.add(id);
        const { objects, bytes, modified } = held;
        yield { ...left[of], key: id, image: id, store: place.id, bytes, since: timeOf(modified), objects };
      }
    }
  }

  private async *missing(reached: ReadonlySet<string>, signal: AbortSignal): AsyncIterable<PlanItem> {
    for (let after = 0; ;) {
      const page = await this.parts.registry.located({ after, limit: pageSize });
      for (let start = 0; start < page.length; start += parallel) {
        const looks = page.slice(start, start + parallel).map((data) => this.lookFor(data, reached, signal));
        for (const item of await Promise.all(looks)) if (item) yield item;
      }
      if (page.length < pageSize) return;
      after = page.at(-1)!.id;
    }
  }

  private async lookFor(
    { id, imageId, location, bytes, since }: LocatedData,
    reached: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<PlanItem | undefined> {
    const store = this.parts.inspector.keeperOf(location);
    if (store === undefined || !reached.has(store)) return undefined;
    if (await this.parts.inspector.has(location, signal)) return undefined;
    const why = 'The store does not have the data that the image refers to.';
    return { kind: 'missing', key: String(id), image: imageId, store, bytes, since, why };
  }
}

async function* pages(ids: AsyncIterable<string>): AsyncIterable<string[]> {
  let page: string[] = [];
  for await (const id of ids) {
    page.push(id);
    if (page.length < pageSize) continue;
    yield [...new Set(page)];
    page = [];
  }
  if (page.length > 0) yield [...new Set(page)];
}
