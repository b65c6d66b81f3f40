import { ServiceError } from '@glance/domain';
import { marks, type SqlValue } from '../database/session.js';
import type { Source } from '../images/find-image.js';

/** Locations that are looked at in one go: all that are encrypted are, and between two goes others have their turn. */
const pageSize = 1000;

/** A location that an image has, or that is still to be erased. */
const located = "(deleted = 0 OR status IN ('pending_delete', 'removing'))";
/** Its URL does not name its image: it could name any. */
const unusual = `${located} AND value NOT LIKE CONCAT('%', image_id, '%')`;
const unusualInSqlite = `${located} AND value NOT LIKE ('%' || image_id || '%')`;

/** What refers to names, each with the column that has them. An image that is queued has no data. */
const inStore: readonly (readonly [column: string, from: string])[] = [
  ['id', "FROM images WHERE ((deleted = 0 AND status <> 'queued') OR status = 'pending_delete')"],
  ['image_id', 'FROM image_leases WHERE outcome IS NULL'],
  ['image_id', 'FROM import_tasks WHERE 1 = 1'],
  ['name', 'FROM staged_data WHERE 1 = 1'],
  ['image_id', `FROM image_locations WHERE ${located}`],
];
// Glance: stages data under the id of the image, also for copies of an active one.
const inStaging: typeof inStore = [
  ['name', 'FROM staged_data WHERE 1 = 1'],
  ['image_id', 'FROM import_tasks WHERE 1 = 1'],
  ['id', "FROM images WHERE deleted = 0 AND status <> 'queued'"],
];

// A cache has copies: what can only be restored is fetched anew.
const inCache: typeof inStore = [['id', 'FROM images WHERE deleted = 0']];
const sources = { store: inStore, staging: inStaging, cache: inCache };

/**
 * Which of these names no row refers to, directly or by the URL of a location. In doubt one does: case does not count.
 * `Conflict` if there are locations that cannot be read.
 */
export async function unknownNames(
  from: Source,
  place: keyof typeof sources,
  names: readonly string[],
): Promise<string[]> {
  if (names.length === 0) return [];
  const parts = sources[place].map(
    ([column, table]) => `SELECT ${column} AS name ${table} AND ${column} IN (${marks(names)})`,
  );
  const rows = await from.rows<{ name: string }>(
    parts.join(' UNION '),
    sources[place].flatMap((): SqlValue[] => [...names]),
  );
  const known = new Set(rows.map(({ name }) => name.toLowerCase()));
  const left = names.filter((name) => !known.has(name.toLowerCase()));
  if (place !== 'store' || left.length === 0) return left;
  return withoutLocated(from, left);
}

async function withoutLocated(from: Source, names: readonly string[]): Promise<string[]> {
  const likes = names.map(() => 'LOWER(value) LIKE ?').join(' OR ');
  const sql =
    `SELECT id, value FROM image_locations WHERE ${from.dialect.name === 'sqlite' ? unusualInSqlite : unusual} ` +
    `AND (value NOT LIKE '%:%' OR ${likes}) AND id > ? ORDER BY id LIMIT ${pageSize}`;
  const patterns = names.map((name) => `%${name.toLowerCase()}%`);
  let left = [...names];
  for (let page: { id: number; value: string }[] = [], after = 0; ; after = page.at(-1)!.id) {
    page = await from.rows(sql, [...patterns, after]);
    const urls = page.map(({ value }) => from.cipher.open(value).toLowerCase());
    if (!urls.every(isUrl)) throw unreadable();
    left = left.filter((name) => !urls.some((url) => url.includes(name.toLowerCase())));
    if (page.length < pageSize) return left;
  }
}

const isUrl = (text: string): boolean => text.includes(':');

const unreadable = (): ServiceError =>
  new ServiceError(
    'Conflict',
    'Locations in the database are encrypted with a key that is not [DEFAULT] metadata_encryption_key: what in stores ' +
      'belongs to no image cannot be told.',
  );
