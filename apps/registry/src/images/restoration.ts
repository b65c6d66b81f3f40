import { type DeletedImage, type Image, ServiceError } from '@glance/domain';
import type { Database } from '../database/database.js';
import { wireTime } from '../database/dialect.js';
import { marks, type SqlValue, type Statements } from '../database/session.js';
import { findImage, lockImage } from './find-image.js';
import { childTables, insert } from './image-writes.js';

interface Row {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  readonly size: number | null;
  readonly deleted_at: string;
}

const waiting = "i.deleted = 1 AND i.status = 'pending_delete'";
/**
 * Nobody works on the deletion of the image; whoever has begun to erase it may have erased a part. The alias of `images`
 * is `i`. A count, because MariaDB would read all leases for NOT EXISTS.
 */
export const untouched =
  "(SELECT COUNT(*) FROM image_leases l WHERE l.image_id = i.id AND l.kind = 'delete' AND l.outcome IS NULL) = 0";

/** Images that wait for the scrubber, oldest first; of one project, or of all. `scrubTime` in seconds. */
export async function listDeleted(
  database: Database,
  { owner, limit, marker }: { owner?: string; limit: number; marker?: string },
  scrubTime: number,
): Promise<DeletedImage[]> {
  const values: SqlValue[] = [];
  const conditions = [waiting, untouched];
  if (owner !== undefined) {
    conditions.push('i.owner = ?');
    values.push(owner);
  }
  if (marker !== undefined) {
    conditions.push('(i.deleted_at, i.id) > (SELECT m.deleted_at, m.id FROM images m WHERE m.id = ?)');
    values.push(marker);
  }
  const sql = `SELECT id, name, owner, size, deleted_at FROM images i WHERE ${conditions.join(' AND ')} ORDER BY i.deleted_at, i.id LIMIT ?`;
  const rows = await database.rows<Row>(sql, [...values, limit]);
  return rows.map(({ deleted_at, ...image }) => {
    const deletedAt = wireTime(deleted_at);
    const goes = new Date(Date.parse(deletedAt) + scrubTime * 1000);
    return { ...image, deletedAt, goesAt: `${goes.toISOString().slice(0, 19)}Z` };
  });
}

/** The image that can be restored, as it was, locked; `NotFound` or `Conflict` otherwise. */
export async function lockDeleted(tx: Statements, id: string): Promise<Row> {
  await lockImage(tx, id);
  const sql = `SELECT id, name, owner, size, deleted_at, CASE WHEN ${untouched} THEN 1 ELSE 0 END AS whole FROM images i WHERE i.id = ? AND ${waiting}`;
  const [row] = await tx.rows<Row & { whole: number }>(sql, [id]);
  if (row?.id !== id) throw new ServiceError('NotFound', `There is no deleted image ${id} whose data is still there.`);
  if (row.whole === 1) return row;
  throw new ServiceError('Conflict', `The data of the image ${id} is being erased: it cannot be restored any more.`);
}

/** Brings a locked image back, and all that went with it: what is told apart by the time from what went before. */
export async function restoreImage(tx: Statements, id: string, now: Date): Promise<Image> {
  const time = tx.dialect.time(now);
  const [location] = await tx.rows<{ deleted_at: string }>(
    "SELECT deleted_at FROM image_locations WHERE image_id = ? AND status = 'pending_delete' ORDER BY id LIMIT 1",
    [id],
  );
  if (!location) throw new ServiceError('Conflict', `The image ${id} has no data any more: it cannot be restored.`);
  const revive = 'deleted = 0, deleted_at = NULL, updated_at = ?';
  for (const table of childTables) {
    // Glance, too, deletes them all at one time, which is not that of the image itself.
    const sql =
      table === 'image_locations'
        ? `UPDATE ${table} SET ${revive}, status = 'active' WHERE image_id = ? AND status = 'pending_delete'`
        : `UPDATE ${table} SET ${revive} WHERE image_id = ? AND deleted + 0 = 1 AND deleted_at = ?`;
    await tx.run(sql, table === 'image_locations' ? [time, id] : [time, id, location.deleted_at]);
  }
  const [remembered] = await tx.rows<{ status: string }>('SELECT status FROM delayed_deletions WHERE image_id = ?', [
    id,
  ]);
  await forgetStatuses(tx, [id]);
  const sql = `UPDATE images SET status = ?, ${revive} WHERE id = ?`;
  await tx.run(sql, [remembered?.status ?? 'active', time, id]);
  return (await findImage(tx, id))!;
}

/** What the image is again if it is restored: a deactivated one must not come back active. */
export async function rememberStatus(tx: Statements, { id, status }: Image): Promise<void> {
  // Glance restores, and erases, without a look at this table.
  await forgetStatuses(tx, [id]);
  if (status !== 'active') await insert(tx, 'delayed_deletions', [{ image_id: id, status }]);
}

/** Nobody will restore these images any more. */
export async function forgetStatuses(tx: Statements, ids: readonly string[]): Promise<void> {
  await tx.run(`DELETE FROM delayed_deletions WHERE image_id IN (${marks(ids)})`, ids);
}
