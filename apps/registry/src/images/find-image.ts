import { type Image, ServiceError } from '@glance/domain';
import type { Rights } from '../authorization/authorization.js';
import { seenTarget } from '../authorization/target.js';
import { marks, type Statements } from '../database/session.js';
import { mysqlDialect, sqliteDialect } from '../database/dialect.js';
import { type ImageRecord, selectList, toImage } from './image-rows.js';
import { visible } from './visibility.js';

/** Where images are read from: inside of a transaction, or what is committed. */
export type Source = Pick<Statements, 'rows' | 'dialect' | 'cipher'>;

const [sqlite, mysql] = [sqliteDialect, mysqlDialect].map(
  (dialect) => `SELECT ${selectList(dialect)} FROM images i WHERE i.id = ? AND i.deleted = 0`,
) as [string, string];

const select = ({ dialect }: Source): string => (dialect.name === 'sqlite' ? sqlite : mysql);

/** The image, whoever asks; undefined if there is none or it is deleted. */
export async function findImage(from: Source, id: string): Promise<Image | undefined> {
  const [row] = await from.rows<ImageRecord>(select(from), [id]);
  return row && toImage(row, from.cipher);
}

/** The image as it is, or was before it was deleted; without locations. */
export async function findBuried(from: Source, id: string): Promise<Image | undefined> {
  const [row] = await from.rows<ImageRecord>(`SELECT ${selectList(from.dialect)} FROM images i WHERE i.id = ?`, [id]);
  return row && toImage(row, from.cipher);
}

/** The image, by one statement. `NotFound` also if the caller may not know of it. */
export async function findVisible(from: Source, rights: Rights, id: string): Promise<Image> {
  const { sql, values } = visible(from.dialect, rights);
  const [row] = await from.rows<ImageRecord>(`${select(from)} AND ${sql}`, [id, ...values]);
  // MySQL also finds ids that differ by case.
  const image = row?.id === id ? toImage(row, from.cipher) : undefined;
  if (image && (await rights.allows('get_image', seenTarget(rights.caller, image)))) return image;
  throw new ServiceError('NotFound', `There is no image ${id}.`);
}

/** Lets nobody else change the image until the transaction ends. */
export const lockImage = (tx: Statements, id: string): Promise<void> => lockImages(tx, [id]);

/** As `lockImage`; all in one order, or two callers would wait for each other. */
export async function lockImages(tx: Statements, ids: readonly string[]): Promise<void> {
  // Where transactions that write exclude each other anyway, there is nothing to lock.
  if (!tx.dialect.forUpdate) return;
  await tx.rows(`SELECT id FROM images WHERE id IN (${marks(ids)}) ORDER BY id${tx.dialect.forUpdate}`, ids);
}

/** The visible image for changing it: first the lock, then the look, for it could change while we wait. */
export async function findLocked(tx: Statements, rights: Rights, id: string): Promise<Image> {
  await lockImage(tx, id);
  return findVisible(tx, rights, id);
}
