import type { CachedData, CacheRule, Caching, Caller, Download, Image } from '@glance/domain';
import { Authorization } from '../authorization/authorization.js';
import { ownTarget, seenTarget } from '../authorization/target.js';
import type { Database } from '../database/database.js';
import { isDuplicate } from '../database/failure.js';
import { marks, type Statements } from '../database/session.js';
import { findImage, findVisible } from '../images/find-image.js';
import { insert } from '../images/image-writes.js';

interface CachedRow {
  readonly image_id: string;
  readonly last_accessed: string;
  readonly size: number;
  readonly hits: number;
  readonly checksum: string | null;
}

interface DataRow {
  readonly id: string;
  readonly checksum: string | null;
  readonly os_hash_value: string | null;
}

/** Images that one statement is about. */
const batch = 500;

/** The contract `Caching` on Glance's tables `node_reference` and `cached_images`. */
export class CachingInDatabase implements Caching {
  constructor(
    readonly database: Database,
    readonly authorization = new Authorization(),
  ) {}

  async check(caller: Caller, rule: CacheRule): Promise<void> {
    const rights = await this.authorization.of(caller);
    await rights.require(rule, ownTarget(caller));
  }

  async image(caller: Caller, rule: CacheRule, id: string): Promise<Image> {
    const rights = await this.authorization.of(caller);
    const image = await findVisible(this.database, rights, id);
    await rights.require(rule, seenTarget(caller, image));
    return image;
  }

  async source(id: string): Promise<Download | undefined> {
    const image = await findImage(this.database, id);
    return image?.status === 'active' ? { image, locations: image.locations } : undefined;
  }

  async report(node: string | null, cached: readonly CachedData[]): Promise<readonly string[]> {
    if (node !== null) {
      await this.#introduce(node);
      await this.database.transaction((tx) => record(tx, node, cached));
    }
    return this.#stale(cached);
  }

  async nodes(caller: Caller | null, id: string): Promise<readonly string[]> {
    if (caller) await this.image(caller, 'list_cached_nodes', id);
    const rows = await this.database.rows<{ url: string }>(
      'SELECT n.node_reference_url AS url FROM cached_images c JOIN node_reference n ' +
        'ON n.node_reference_id = c.node_reference_id WHERE c.image_id = ? ORDER BY n.node_reference_url',
      [id],
    );
    return rows.map(({ url }) => url);
  }

  async #introduce(node: string): Promise<void> {
    const sql = 'SELECT node_reference_id FROM node_reference WHERE node_reference_url = ?';
    if ((await this.database.rows(sql, [node])).length > 0) return;
    try {
      await this.database.transaction((tx) => insert(tx, 'node_reference', [{ node_reference_url: node }]));
    } catch (error) {
      // Another process of the node was faster.
      if (!isDuplicate(error)) throw error;
    }
  }

  async #stale(cached: readonly CachedData[]): Promise<string[]> {
    const stale: string[] = [];
    for (let start = 0; start < cached.length; start += batch) {
      const some = cached.slice(start, start + batch);
      const ids = some.map(({ imageId }) => imageId);
      const rows = await this.database.rows<DataRow>(
        `SELECT id, checksum, os_hash_value FROM images WHERE deleted = 0 AND status = 'active' AND id IN (${marks(ids)})`,
        ids,
      );
      const known = new Map(rows.map((row) => [row.id, row]));
      stale.push(...some.filter((data) => !isOf(data, known.get(data.imageId))).map(({ imageId }) => imageId));
    }
    return stale;
  }
}

function isOf({ checksum, hash }: CachedData, row: DataRow | undefined): boolean {
  return (
    row !== undefined &&
    sameDigits(row.checksum, checksum) &&
    (hash === null || row.os_hash_value?.toLowerCase().startsWith(hash) === true)
  );
}

const sameDigits = (a: string | null, b: string | null): boolean => a?.toLowerCase() === b?.toLowerCase();

/** Makes the rows of a node say what it has; reports of one node come one after the other. */
async function record(tx: Statements, node: string, cached: readonly CachedData[]): Promise<void> {
  const reference = await referenceOf(tx, node);
  const rows = await tx.rows<CachedRow>(
    'SELECT image_id, last_accessed, size, hits, checksum FROM cached_images WHERE node_reference_id = ?',
    [reference],
  );
  const before = new Map(rows.map((row) => [row.image_id, row]));
  const now = new Map(cached.map((data) => [data.imageId, rowOf(tx, data)]));
  const gone = rows.map(({ image_id }) => image_id).filter((id) => !now.has(id));
  for (let start = 0; start < gone.length; start += batch) {
    const some = gone.slice(start, start + batch);
    await tx.run(`DELETE FROM cached_images WHERE node_reference_id = ? AND image_id IN (${marks(some)})`, [
      reference,
      ...some,
    ]);
  }
  const added = [...now.values()].filter(({ image_id }) => !before.has(image_id));
  await insert(
    tx,
    'cached_images',
    added.map((row) => ({ ...row, node_reference_id: reference })),
  );
  for (const { image_id, last_accessed, last_modified, size, hits, checksum } of now.values()) {
    const old = before.get(image_id);
    if (!old || (old.hits === hits && old.last_accessed === last_accessed && old.checksum === checksum)) continue;
    await tx.run(
      'UPDATE cached_images SET last_accessed = ?, last_modified = ?, size = ?, hits = ?, checksum = ? ' +
        'WHERE node_reference_id = ? AND image_id = ?',
      [last_accessed, last_modified, size, hits, checksum, reference, image_id],
    );
  }
}

/** Also lets nobody else write down what the node has, until the transaction ends. */
async function referenceOf(tx: Statements, node: string): Promise<number> {
  const [known] = await tx.rows<{ id: number }>(
    `SELECT node_reference_id AS id FROM node_reference WHERE node_reference_url = ?${tx.dialect.forUpdate}`,
    [node],
  );
  return known!.id;
}

function rowOf({ dialect }: Statements, { imageId, checksum, size, hits, lastAccessed, lastModified }: CachedData) {
  return {
    image_id: imageId,
    last_accessed: dialect.time(new Date(lastAccessed)),
    last_modified: dialect.time(new Date(lastModified)),
    size,
    hits,
    checksum,
  };
}
