import type { PendingKind, PendingPage, Scrubbing } from '@glance/domain';
import type { PlanItem } from './plan-item.js';

/** Names, locations or pieces of work that the registry is asked about at a time. */
export const pageSize = 500;

/** The pending work of one kind. Holds a page at a time. */
export async function* pendingItems(
  registry: Pick<Scrubbing, 'pending'>,
  kind: PendingKind,
  of: Pick<PendingPage, 'host' | 'idleSince'>,
): AsyncIterable<PlanItem> {
  for (let after: string | undefined; ;) {
    const found = await registry.pending(kind, { limit: pageSize, ...of, ...(after !== undefined && { after }) });
    for (const { key, imageId: image, store, bytes, since, why } of found) {
      yield { kind, key, image, store, bytes, since, why };
    }
    if (found.length < pageSize) return;
    after = found.at(-1)!.key;
  }
}
