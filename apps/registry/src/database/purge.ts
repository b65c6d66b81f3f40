import { ServiceError } from '@glance/domain';
import type { Database } from './database.js';
import { DatabaseFailure } from './failure.js';

export interface PurgeLimits {
  /** Rows that were deleted longer ago than this many days go. */
  readonly ageInDays: number;
  /** Per table; -1 is all. */
  readonly maxRows: number;
}

/** Rows that went, by table. */
export type Purged = Readonly<Record<string, number>>;

const children = ['image_properties', 'image_tags', 'image_members', 'image_locations'];
// What the scrubber has not erased yet is still needed to find it, and for bringing the image back as it was.
const done = "deleted = 1 AND deleted_at < ? AND status <> 'pending_delete'";
const unneeded = "image_id NOT IN (SELECT id FROM images WHERE status = 'pending_delete')";

const largestPiece = 5_000;

/** `db purge`: removes deleted rows for good, except images. `Invalid` for limits that make no sense. */
export async function purge(database: Database, limits: PurgeLimits): Promise<Purged> {
  const { before, most } = check(database, limits);
  const purged: Record<string, number> = {};
  const oldTasks = `SELECT id FROM tasks WHERE deleted = 1 AND deleted_at < ?`;
  purged['task_info'] = await remove(database, 'task_info', 'task_id', `task_id IN (${oldTasks})`, [before, most]);
  for (const table of children) {
    const condition = table === 'image_locations' ? done : 'deleted = 1 AND deleted_at < ?';
    purged[table] = await remove(database, table, 'id', `${condition} AND ${unneeded}`, [before, most]);
  }
  const withoutInfo = 'deleted = 1 AND deleted_at < ? AND id NOT IN (SELECT task_id FROM task_info)';
  purged['tasks'] = await remove(database, 'tasks', 'id', withoutInfo, [before, most]);
  return purged;
}

/**
 * `db purge_images_table`: forgets deleted images, so that their ids may be used again. `Conflict` if rows of other
 * tables still refer to them.
 */
export async function purgeImages(database: Database, limits: PurgeLimits): Promise<Purged> {
  const { before, most } = check(database, limits);
  try {
    return { images: await remove(database, 'images', 'id', done, [before, most]) };
  } catch (error) {
    if (!(error instanceof DatabaseFailure) || error.kind !== 'referenced') throw error;
    throw new ServiceError('Conflict', 'Other rows still refer to the images that are to go. Run "db purge" first.');
  }
}

/** In pieces: neither a cluster nor those who wait for locks like long transactions. */
async function remove(
  database: Database,
  table: string,
  key: string,
  condition: string,
  [before, most]: readonly [string, number],
): Promise<number> {
  // MySQL deletes from no table that it reads in the same statement, unless the reading is a derived table.
  const doomed = `SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ?`;
  const sql = `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM (${doomed}) old)`;
  let removed = 0;
  for (;;) {
    const piece = Math.min(most - removed, largestPiece);
    const gone = await database.run(sql, [before, piece]);
    removed += gone;
    if (gone < piece || removed === most) return removed;
  }
}

function check({ dialect }: Database, { ageInDays, maxRows }: PurgeLimits): { before: string; most: number } {
  const now = Date.now();
  const age = ageInDays * 86_400_000;
  if (!Number.isInteger(ageInDays) || age < 0 || age > now) {
    throw new ServiceError('Invalid', `The age in days must be from 0 to ${Math.floor(now / 86_400_000)}.`);
  }
  if (!Number.isInteger(maxRows) || maxRows < -1 || maxRows === 0) {
    throw new ServiceError('Invalid', 'The most rows to purge must be at least 1, or -1 for all.');
  }
  return { before: dialect.time(new Date(now - age)), most: maxRows === -1 ? Number.MAX_SAFE_INTEGER : maxRows };
}
