import { type Deletion, type DueWork, type Image, type ImageLocation, type Lease, ServiceError } from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { wireTime } from '../database/dialect.js';
import { deleteEvent } from '../notifications/events.js';
import { abandonImports } from '../imports/import-rows.js';
import type { Outbox } from '../notifications/outbox.js';
import { findBuried, lockImage } from './find-image.js';
import { childTables } from './image-writes.js';
import { type LocationColumns, toLocation } from './location-rows.js';
import { LocationRemovals } from './location-removals.js';
import { forgetStatus, rememberStatus } from './restoration.js';
import { leaseLost, type LeaseRow, type Leases } from './leases.js';

export interface DeletionSettings {
  readonly delayedDelete: boolean;
  /** Seconds. */
  readonly scrubTime: number;
}

interface WaitingRow extends LocationColumns {
  readonly size: number | null;
}

/** A deletion whose delay is over by the time `?` and that nobody works on; the alias of `images` is `i`. */
export const dueDeletion =
  "i.deleted = 1 AND i.status = 'pending_delete' AND i.deleted_at <= ? AND NOT EXISTS " +
  "(SELECT 1 FROM image_leases l WHERE l.image_id = i.id AND l.kind = 'delete' AND l.outcome IS NULL)";

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
      await buryChildren(tx, id, time);
      await this.outbox.add(tx, context, deleteEvent({ ...image, status: status.deleted }, wireTime(time)));
      return { locations };
    }
    await this.#bury(tx, id, status.waiting, time);
    const sql =
      "UPDATE image_locations SET status = ?, deleted = 1, deleted_at = ?, updated_at = ? WHERE image_id = ? AND deleted = 0 AND status = 'active'";
    await tx.run(sql, [status.waiting, time, time, id]);
    if (this.settings.delayedDelete) {
      await rememberStatus(tx, image);
      await buryChildren(tx, id, time);
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
      const { image_id: id, previous_status: previous, context } = held(lease);
      const time = this.#now(tx);
      const [image] = await tx.rows<{ deleted_at: string | null }>('SELECT deleted_at FROM images WHERE id = ?', [id]);
      const deletedAt = image?.deleted_at ?? time;
      const sql = 'UPDATE images SET status = ?, deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?';
      await tx.run(sql, [status.deleted, deletedAt, time, id]);
      const locations = 'UPDATE image_locations SET status = ?, updated_at = ? WHERE image_id = ? AND status = ?';
      await tx.run(locations, [status.deleted, time, id, status.waiting]);
      // A delayed deletion was told of when it began.
      if (previous !== status.waiting) await this.#tell(tx, id, context, deletedAt);
      await buryChildren(tx, id, deletedAt);
      await forgetStatus(tx, id);
      await this.leases.settle(tx, token, 'finished');
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
    const { token, image_id: imageId } = row;
    const lease = { token, expiresIn: this.leases.term };
    return { kind: 'delete', imageId, ...(await this.#waiting(imageId)), lease };
  }

  /** What was deleted then, or before, is due; as the database has times. */
  dueSince(): string {
    return this.database.dialect.time(new Date(this.leases.clock() - this.settings.scrubTime * 1000));
  }

  /** At most `limit` deletions whose delay is over. */
  async delayed(limit: number): Promise<DueWork[]> {
    const due = this.dueSince();
    const candidates = `SELECT i.id FROM images i WHERE ${dueDeletion} ORDER BY i.deleted_at LIMIT ?`;
    const work: DueWork[] = [];
    for (const { id } of await this.database.rows<{ id: string }>(candidates, [due, limit])) {
      const claimed = await this.claim(id);
      if (claimed) work.push(claimed);
    }
    return work;
  }

  /** One deletion whose delay is over; undefined if somebody else was faster, or it is not due. */
  async claim(id: string): Promise<DueWork | undefined> {
    const lease = await this.#claim(id);
    return lease && { kind: 'delete', imageId: id, ...(await this.#waiting(id)), lease };
  }

  /** Undefined if somebody else was faster. */
  #claim(id: string): Promise<Lease | undefined> {
    return this.database.transaction(async (tx) => {
      await lockImage(tx, id);
      const free = `SELECT i.id FROM images i WHERE i.id = ? AND ${dueDeletion}`;
      if ((await tx.rows(free, [id, this.dueSince()])).length === 0) return undefined;
      return this.leases.grant(tx, {
        image_id: id,
        kind: 'delete',
        store: null,
        previous_status: status.waiting,
        context: null,
      });
    });
  }

  async #waiting(imageId: string): Promise<{ locations: ImageLocation[]; bytes?: number }> {
    const sql =
      'SELECT l.value, l.meta_data, i.size FROM image_locations l JOIN images i ON i.id = l.image_id ' +
      "WHERE l.image_id = ? AND l.status = 'pending_delete' ORDER BY l.id";
    const rows = await this.database.rows<WaitingRow>(sql, [imageId]);
    const size = rows[0]?.size;
    return {
      locations: rows.map((row) => toLocation(row, this.database.cipher)),
      ...(typeof size === 'number' && { bytes: size * rows.length }),
    };
  }

  async #tell(tx: Statements, id: string, context: string | null, deletedAt: string): Promise<void> {
    const image = this.outbox.wants('image.delete') ? await findBuried(tx, id) : undefined;
    if (image) await this.outbox.add(tx, context, deleteEvent(image, wireTime(deletedAt)));
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

async function buryChildren(tx: Statements, id: string, time: string): Promise<void> {
  for (const table of childTables) {
    const state = table === 'image_locations' ? ", status = 'deleted'" : '';
    const sql = `UPDATE ${table} SET deleted = 1, deleted_at = ?, updated_at = ?${state} WHERE image_id = ? AND deleted = 0`;
    await tx.run(sql, [time, time, id]);
  }
}
