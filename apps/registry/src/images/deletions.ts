import {
  type ClaimedDeletion,
  type Deletion,
  type DueDeletion,
  type DueWork,
  type Image,
  type Lease,
  ServiceError,
} from '@glance/domain';
import type { Database } from '../database/database.js';
import { marks, type Statements } from '../database/session.js';
import { wireTime } from '../database/dialect.js';
import { deleteEvent } from '../notifications/events.js';
import { abandonImports } from '../imports/import-rows.js';
import type { Outbox } from '../notifications/outbox.js';
import { findBuried, lockImages } from './find-image.js';
import { childTables } from './image-writes.js';
import { type LocationColumns, toLocation } from './location-rows.js';
import { LocationRemovals } from './location-removals.js';
import { forgetStatuses, rememberStatus, untouched } from './restoration.js';
import { leaseLost, type LeaseRow, type Leases } from './leases.js';

export interface DeletionSettings {
  readonly delayedDelete: boolean;
  /** Seconds. */
  readonly scrubTime: number;
}

interface WaitingRow extends LocationColumns {
  readonly image_id: string;
}

interface SizedRow {
  readonly id: string;
  readonly size: number | null;
}

/** A deletion whose delay is over by the time `?` and that nobody works on; the alias of `images` is `i`. */
export const dueDeletion = `i.deleted = 1 AND i.status = 'pending_delete' AND i.deleted_at <= ? AND ${untouched}`;

const status = { waiting: 'pending_delete', deleted: 'deleted' } as const;

/** A deletion of a delayed image whose data is in use is tried again after this many lease terms. */
const patience = 5;

/** Deletes images: the intent first, the bytes (by whoever holds the lease) second, the facts last. */
export class Deletions {
  readonly #removals: LocationRemovals;

  constructor(
    readonly database: Database,
    readonly leases: Leases,
    readonly settings: DeletionSettings,
    readonly outbox: Outbox,
  ) {
    this.#removals = new LocationRemovals(database, leases, outbox);
  }

  /** `image` is locked and may be deleted by the caller, whom `context` names. */
  async begin(tx: Statements, image: Image, context: string | null): Promise<Deletion> {
    if (image.protected) throw new ServiceError('Forbidden', `The image ${image.id} is protected against deletion.`);
    const { id, locations } = image;
    const time = this.#now(tx);
    await abandonImports(tx, id, 'The image was deleted.');
    if (locations.length === 0) {
      // An upload that is under way finds out, and clears up behind itself.
      await this.#bury(tx, id, status.deleted, time);
      await buryChildren(tx, [id]);
      await this.outbox.add(tx, context, deleteEvent({ ...image, status: status.deleted }, wireTime(time)));
      return { locations };
    }
    await this.#bury(tx, id, status.waiting, time);
    const sql =
      "UPDATE image_locations SET status = ?, deleted = 1, deleted_at = ?, updated_at = ? WHERE image_id = ? AND deleted + 0 = 0 AND status = 'active'";
    await tx.run(sql, [status.waiting, time, time, id]);
    if (this.settings.delayedDelete) {
      await rememberStatus(tx, image);
      await buryChildren(tx, [id]);
      await this.outbox.add(tx, context, deleteEvent({ ...image, status: status.waiting }, wireTime(time)));
      return { locations };
    }
    const work = { image_id: id, kind: 'delete', store: null, previous_status: image.status, context } as const;
    return { lease: await this.leases.grant(tx, work), locations };
  }

  /** One of the locations of `image`, which is locked, goes. */
  beginLocation(tx: Statements, image: Image, which: number | string, context: string | null): Promise<Deletion> {
    return this.#removals.begin(tx, image, which, context);
  }

  finish(token: string): Promise<void> {
    return this.leases.locked(this.database, token, async (tx, lease) => {
      if (lease?.outcome === 'finished') return;
      if (lease?.kind === 'location' && lease.outcome === null) return this.#removals.finish(tx, lease);
      await this.#finish(tx, [held(lease)]);
      await this.leases.settle(tx, token, 'finished');
    });
  }

  /** Answers with those whose lease was lost and whose image is not deleted. Leaves no leases behind: they would be many. */
  finishAll(works: readonly ClaimedDeletion[]): Promise<ClaimedDeletion[]> {
    const tokens = works.map(({ token }) => token);
    return this.leases.allLocked(this.database, tokens, async (tx, leases) => {
      const open = leases.filter(({ kind, outcome }) => kind === 'delete' && outcome === null);
      const finished = new Set(open.map(({ token }) => token));
      if (open.length > 0) {
        await this.#finish(tx, open);
        await this.leases.drop(tx, ...finished);
      }
      const rest = works.filter(({ token }) => !finished.has(token));
      if (rest.length === 0) return [];
      const ids = rest.map(({ imageId }) => imageId);
      const sql = `SELECT id FROM images WHERE id IN (${marks(ids)}) AND status = ?`;
      const deleted = await tx.rows<{ id: string }>(sql, [...ids, status.deleted]);
      return rest.filter(({ imageId }) => !deleted.some(({ id }) => id === imageId));
    });
  }

  cancel(token: string): Promise<void> {
    return this.leases.locked(this.database, token, async (tx, lease) => {
      if (lease?.outcome === 'cancelled') return;
      if (lease?.kind === 'location' && lease.outcome === null) return this.#removals.cancel(tx, lease);
      const { image_id: id, previous_status: previous } = held(lease);
      // Nobody waits for the answer to a delayed deletion: it stays deleted.
      if (previous === status.waiting) {
        const pause = patience * this.leases.term;
        await this.leases.backOff(tx, held(lease), { pause, reason: 'The data is in use.' });
        return;
      }
      const time = this.#now(tx);
      const sql = 'UPDATE images SET status = ?, deleted = 0, deleted_at = NULL, updated_at = ? WHERE id = ?';
      await tx.run(sql, [previous, time, id]);
      const locations =
        "UPDATE image_locations SET status = 'active', deleted = 0, deleted_at = NULL, updated_at = ? WHERE image_id = ? AND status = ?";
      await tx.run(locations, [time, id, status.waiting]);
      await this.leases.settle(tx, token, 'cancelled');
    });
  }

  /** Work of a lease that ran out. */
  async resumed(row: LeaseRow): Promise<DueWork> {
    if (row.kind === 'location') return this.#removals.resumed(row);
    const { token, image_id: id } = row;
    const [image] = await this.database.rows<SizedRow>('SELECT id, size FROM images WHERE id = ?', [id]);
    const lease = { token, expiresIn: this.leases.term };
    return (await this.#dataOf([{ id, size: image?.size ?? null, lease }]))[0]!;
  }

  /** What was deleted then, or before, is due; as the database has times. */
  dueSince(): string {
    return this.database.dialect.time(new Date(this.leases.clock() - this.settings.scrubTime * 1000));
  }

  /** At most `limit` deletions whose delay is over. */
  async delayed(limit: number): Promise<DueDeletion[]> {
    const candidates = `SELECT i.id FROM images i WHERE ${dueDeletion} ORDER BY i.deleted_at LIMIT ?`;
    const rows = await this.database.rows<{ id: string }>(candidates, [this.dueSince(), limit]);
    return this.claim(rows.map(({ id }) => id));
  }

  /** The deletions of these images whose delay is over; without those where somebody else was faster. */
  async claim(ids: readonly string[]): Promise<DueDeletion[]> {
    if (ids.length === 0) return [];
    const claimed = await this.database.transaction(async (tx) => {
      await lockImages(tx, ids);
      const due = `SELECT i.id, i.size FROM images i WHERE i.id IN (${marks(ids)}) AND ${dueDeletion}`;
      const free = await tx.rows<SizedRow>(due, [...ids, this.dueSince()]);
      const work = { kind: 'delete', store: null, previous_status: status.waiting, context: null } as const;
      const granted = await this.leases.grantAll(
        tx,
        free.map(({ id }) => ({ image_id: id, ...work })),
      );
      return free.map((row, n) => ({ ...row, lease: granted[n]! }));
    });
    return this.#dataOf(claimed);
  }

  async #finish(tx: Statements, leases: readonly LeaseRow[]): Promise<void> {
    const ids = leases.map((lease) => lease.image_id);
    const mine = `IN (${marks(ids)})`;
    const time = this.#now(tx);
    const sql = `UPDATE images SET status = ?, deleted = 1, deleted_at = COALESCE(deleted_at, ?), updated_at = ? WHERE id ${mine}`;
    await tx.run(sql, [status.deleted, time, time, ...ids]);
    const locations = `UPDATE image_locations SET status = ?, updated_at = ? WHERE image_id ${mine} AND status = ?`;
    await tx.run(locations, [status.deleted, time, ...ids, status.waiting]);
    // Of a delayed one, all this was done when it began.
    const immediate = leases.filter((lease) => lease.previous_status !== status.waiting);
    for (const lease of immediate) await this.#tell(tx, lease);
    const children = immediate.map((lease) => lease.image_id);
    if (children.length > 0) await buryChildren(tx, children);
    await forgetStatuses(tx, ids);
  }

  /** The work on each, with the data that waits to be erased. */
  async #dataOf(claimed: readonly (SizedRow & { readonly lease: Lease })[]): Promise<DueDeletion[]> {
    if (claimed.length === 0) return [];
    const ids = claimed.map(({ id }) => id);
    const sql = `SELECT image_id, value, meta_data FROM image_locations WHERE image_id IN (${marks(ids)}) AND status = ? ORDER BY id`;
    const rows = await this.database.rows<WaitingRow>(sql, [...ids, status.waiting]);
    const waiting = Map.groupBy(rows, (row) => row.image_id);
    return claimed.map(({ id, size, lease }) => {
      const locations = (waiting.get(id) ?? []).map((row) => toLocation(row, this.database.cipher));
      const bytes = size !== null && locations.length > 0 ? { bytes: size * locations.length } : {};
      return { kind: 'delete', imageId: id, locations, ...bytes, lease };
    });
  }

  async #tell(tx: Statements, { image_id: id, context }: LeaseRow): Promise<void> {
    if (!this.outbox.wants('image.delete')) return;
    const image = await findBuried(tx, id);
    const [row] = await tx.rows<{ deleted_at: string }>('SELECT deleted_at FROM images WHERE id = ?', [id]);
    if (image) await this.outbox.add(tx, context, deleteEvent(image, wireTime(row!.deleted_at)));
  }

  #now(tx: Statements): string {
    return tx.dialect.time(new Date(this.leases.clock()));
  }

  async #bury(tx: Statements, id: string, becomes: string, time: string): Promise<void> {
    const sql = 'UPDATE images SET status = ?, deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?';
    await tx.run(sql, [becomes, time, time, id]);
  }
}

function held(lease: LeaseRow | undefined): LeaseRow {
  if (lease?.kind !== 'delete' || lease.outcome !== null) throw leaseLost();
  return lease;
}

/** At the time at which the images were deleted. */
async function buryChildren(tx: Statements, ids: readonly string[]): Promise<void> {
  const time = '(SELECT i.deleted_at FROM images i WHERE i.id = image_id)';
  for (const table of childTables) {
    const state = table === 'image_locations' ? ", status = 'deleted'" : '';
    const sql = `UPDATE ${table} SET deleted = 1, deleted_at = ${time}, updated_at = ${time}${state} WHERE image_id IN (${marks(ids)}) AND deleted + 0 = 0`;
    await tx.run(sql, ids);
  }
}
