import { type Deletion, type DueWork, type Image, ServiceError } from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { imageEvent } from '../notifications/events.js';
import type { Outbox } from '../notifications/outbox.js';
import { findImage } from './find-image.js';
import type { LeaseRow, Leases } from './leases.js';
import { activeLocations, type LocationColumns, type LocationRow, toLocation } from './location-rows.js';

/** A location whose data is being erased; nobody sees it any more. */
const removing = 'removing';

/** Takes one of several locations away: the intent first, the bytes second, the facts last. */
export class LocationRemovals {
  constructor(
    readonly database: Database,
    readonly leases: Leases,
    readonly outbox: Outbox,
  ) {}

  /** `image` is locked, and the caller, whom `context` names, may remove its locations. */
  async begin(tx: Statements, image: Image, which: number | string, context: string | null): Promise<Deletion> {
    if (image.status !== 'active') {
      throw new ServiceError(
        'Conflict',
        `Locations can be removed from an image that is active; this is ${image.status}.`,
      );
    }
    const row = chosen(await activeLocations(tx, image.id), which);
    const time = this.#now(tx);
    const hide = 'UPDATE image_locations SET status = ?, deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?';
    await tx.run(hide, [removing, time, time, row.id]);
    const work = {
      image_id: image.id,
      kind: 'location',
      store: String(row.id),
      previous_status: null,
      context,
    } as const;
    const lease = await this.leases.grant(tx, work);
    await this.#tell(tx, image.id, context, time);
    return { lease, locations: [row.location] };
  }

  async finish(tx: Statements, { token, store }: LeaseRow): Promise<void> {
    const sql = "UPDATE image_locations SET status = 'deleted', updated_at = ? WHERE id = ? AND status = ?";
    await tx.run(sql, [this.#now(tx), Number(store), removing]);
    await this.leases.settle(tx, token, 'finished');
  }

  /** The location is back, unless its image is gone: then it is erased with what the image has. */
  async cancel(tx: Statements, { token, store, image_id: id, context }: LeaseRow): Promise<void> {
    const time = this.#now(tx);
    const image = await findImage(tx, id);
    const sql = image
      ? "UPDATE image_locations SET status = 'active', deleted = 0, deleted_at = NULL, updated_at = ? WHERE id = ? AND status = ?"
      : "UPDATE image_locations SET status = 'pending_delete', updated_at = ? WHERE id = ? AND status = ?";
    await tx.run(sql, [time, Number(store), removing]);
    await this.leases.settle(tx, token, 'cancelled');
    if (image) await this.#tell(tx, id, context, time);
  }

  /** Work of a lease that ran out. */
  async resumed({ token, image_id: imageId, store }: LeaseRow): Promise<DueWork> {
    const sql = 'SELECT value, meta_data FROM image_locations WHERE id = ? AND status = ?';
    const rows = await this.database.rows<LocationColumns>(sql, [Number(store), removing]);
    const locations = rows.map((row) => toLocation(row, this.database.cipher));
    return { kind: 'delete', imageId, locations, lease: { token, expiresIn: this.leases.term } };
  }

  async #tell(tx: Statements, id: string, context: string | null, time: string): Promise<void> {
    await tx.run('UPDATE images SET updated_at = ? WHERE id = ?', [time, id]);
    if (!this.outbox.wants('image.update')) return;
    const image = await findImage(tx, id);
    if (image) await this.outbox.add(tx, context, imageEvent('image.update', image));
  }

  #now(tx: Statements): string {
    return tx.dialect.time(new Date(this.leases.clock()));
  }
}

function chosen(rows: readonly LocationRow[], which: number | string): LocationRow {
  const byStore = ({ location }: LocationRow): boolean => location.metadata['store'] === which;
  if (typeof which === 'string' && !rows.some(byStore)) {
    throw new ServiceError('NotFound', `The store "${which}" has no copy of this image.`);
  }
  if (rows.length <= 1) throw new ServiceError('Forbidden', 'The last location of an image cannot be removed.');
  const row = typeof which === 'string' ? rows.find(byStore) : rows.at(which);
  if (!row) throw new ServiceError('Invalid', `The image has ${rows.length} locations; there is none at ${which}.`);
  return row;
}
