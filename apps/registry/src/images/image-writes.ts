import { type Image, ServiceError } from '@glance/domain';
import { wireTime } from '../database/dialect.js';
import type { SqlValue, Statements } from '../database/session.js';
import { isDuplicate } from '../database/failure.js';
import { locationChanges } from './image-locations.js';
import { activeLocations } from './location-rows.js';

/** The columns of `images` that follow from an `Image`. */
const values = (image: Image): Readonly<Record<string, SqlValue>> => ({
  name: image.name,
  owner: image.owner,
  status: image.status,
  visibility: image.visibility,
  disk_format: image.diskFormat,
  container_format: image.containerFormat,
  size: image.size,
  virtual_size: image.virtualSize,
  checksum: image.checksum,
  os_hash_algo: image.osHashAlgo,
  os_hash_value: image.osHashValue,
  min_disk: image.minDisk,
  min_ram: image.minRam,
  protected: Number(image.protected),
  os_hidden: Number(image.osHidden),
});

/**
 * Tables of what belongs to an image. Statements that change rows of theirs say `deleted + 0`: along an index on `deleted`
 * they would lock the rows of all images, and of two at the same time one would be rolled back.
 */
export const childTables = ['image_properties', 'image_tags', 'image_locations', 'image_members'] as const;

/**
 * Inserts an image with its properties and tags, and answers with what a look at it would show. `Conflict` if the id was
 * ever used.
 */
export async function insertImage(tx: Statements, image: Image, now: Date): Promise<Image> {
  const time = tx.dialect.time(now);
  const row = { id: image.id, ...values(image), created_at: time, updated_at: time, deleted: 0 };
  try {
    await insert(tx, 'images', [row]);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    throw new ServiceError('Conflict', `The image id ${image.id} is or was in use; ids are never used again.`);
  }
  await insertProperties(tx, image.id, Object.entries(image.properties), time);
  await insertTags(tx, image.id, image.tags, time);
  return { ...image, tags: [...image.tags].sort(), createdAt: wireTime(time), updatedAt: wireTime(time) };
}

/** Writes what differs between `before` and `after`. Locations are added and their metadata changed, none goes. */
export async function saveImage(tx: Statements, before: Image, after: Image, now: Date): Promise<void> {
  const time = tx.dialect.time(now);
  const old = values(before);
  const changed = Object.entries(values(after)).filter(([column, value]) => value !== old[column]);
  const assignments = [...changed.map(([column]) => `${column} = ?`), 'updated_at = ?'].join(', ');
  const parameters = [...changed.map(([, value]) => value), time, after.id];
  await tx.run(`UPDATE images SET ${assignments} WHERE id = ?`, parameters);
  await saveProperties(tx, before, after, time);
  const added = after.tags.filter((tag) => !before.tags.includes(tag));
  for (const tag of before.tags) if (!after.tags.includes(tag)) await buryTag(tx, after.id, tag, time);
  await insertTags(tx, after.id, added, time);
  await saveLocations(tx, before, after, time);
}

async function saveLocations(tx: Statements, before: Image, after: Image, time: string): Promise<void> {
  const { added, changed } = locationChanges(before, after);
  const rows = changed.length > 0 ? await activeLocations(tx, after.id) : [];
  for (const { url, metadata } of changed) {
    for (const { id } of rows.filter(({ location }) => location.url === url)) {
      const sql = 'UPDATE image_locations SET meta_data = ?, updated_at = ? WHERE id = ?';
      await tx.run(sql, [JSON.stringify(metadata), time, id]);
    }
  }
  await insertLocations(tx, after.id, added, time);
}

export async function insertLocations(
  tx: Statements,
  image_id: string,
  locations: Image['locations'],
  time: string,
): Promise<void> {
  const rows = locations.map(({ url, metadata }) => ({
    image_id,
    value: tx.cipher.seal(url),
    meta_data: JSON.stringify(metadata),
    status: 'active',
    created_at: time,
    updated_at: time,
    deleted: 0,
  }));
  await insert(tx, 'image_locations', rows);
}

async function saveProperties(
  tx: Statements,
  { properties: before }: Image,
  after: Image,
  time: string,
): Promise<void> {
  const { id, properties } = after;
  const mine = `image_id = ? AND name = ? AND ${tx.dialect.exactly('name')} = ? AND deleted + 0 = 0`;
  const added: [string, string | null][] = [];
  for (const [name, value] of Object.entries(properties)) {
    if (!Object.hasOwn(before, name)) added.push([name, value]);
    else if (before[name] !== value) {
      await tx.run(`UPDATE image_properties SET value = ?, updated_at = ? WHERE ${mine}`, [
        value,
        time,
        id,
        name,
        name,
      ]);
    }
  }
  for (const name of Object.keys(before)) {
    if (Object.hasOwn(properties, name)) continue;
    const bury = `UPDATE image_properties SET deleted = 1, deleted_at = ?, updated_at = ? WHERE ${mine}`;
    await tx.run(bury, [time, time, id, name, name]);
  }
  if (added.length > 0) await addProperties(tx, id, added, time);
}

/** Glance: a removed property keeps its row, and the unique key with it; setting it again revives the row. */
async function addProperties(
  tx: Statements,
  id: string,
  added: [string, string | null][],
  time: string,
): Promise<void> {
  const buried = await tx.rows('SELECT 1 FROM image_properties WHERE image_id = ? AND deleted = 1 LIMIT 1', [id]);
  const fresh: [string, string | null][] = [];
  for (const [name, value] of added) {
    // By the database's own idea of equal names, which is that of its unique key.
    const sql =
      'UPDATE image_properties SET name = ?, value = ?, updated_at = ?, deleted = 0, deleted_at = NULL ' +
      'WHERE image_id = ? AND name = ? AND deleted + 0 = 1';
    const revived = buried.length > 0 && (await tx.run(sql, [name, value, time, id, name])) > 0;
    if (!revived) fresh.push([name, value]);
  }
  await insertProperties(tx, id, fresh, time);
}

async function insertProperties(
  tx: Statements,
  image_id: string,
  properties: readonly (readonly [string, string | null])[],
  time: string,
): Promise<void> {
  const rows = properties.map(([name, value]) => ({
    image_id,
    name,
    value,
    created_at: time,
    updated_at: time,
    deleted: 0,
  }));
  try {
    await insert(tx, 'image_properties', rows);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const names = properties.map(([name]) => name).join(', ');
    throw new ServiceError('Conflict', `This database takes names that differ by case only for equal: ${names}.`);
  }
}

async function insertTags(tx: Statements, image_id: string, tags: readonly string[], time: string): Promise<void> {
  const rows = tags.map((value) => ({ image_id, value, created_at: time, updated_at: time, deleted: 0 }));
  await insert(tx, 'image_tags', rows);
}

async function buryTag(tx: Statements, id: string, tag: string, time: string): Promise<void> {
  const sql =
    'UPDATE image_tags SET deleted = 1, deleted_at = ?, updated_at = ? ' +
    `WHERE image_id = ? AND value = ? AND ${tx.dialect.exactly('value')} = ? AND deleted + 0 = 0`;
  await tx.run(sql, [time, time, id, tag, tag]);
}

/** Inserts rows that all have the same columns, by as few statements as the limits on values allow. */
export async function insert(
  tx: Statements,
  table: string,
  rows: readonly Readonly<Record<string, SqlValue>>[],
): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const marks = `(${columns.map(() => '?').join(', ')})`;
  for (let start = 0; start < rows.length; start += 500) {
    const some = rows.slice(start, start + 500);
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${some.map(() => marks).join(', ')}`;
    await tx.run(
      sql,
      some.flatMap((row) => Object.values(row)),
    );
  }
}
