import { randomUUID } from 'node:crypto';
import { type Image, ServiceError, type StagedData, type Staging } from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { findImage } from '../images/find-image.js';
import { insert } from '../images/image-writes.js';
import { leaseLost, type Leases } from '../images/leases.js';
import { imageEvent } from '../notifications/events.js';
import type { Outbox } from '../notifications/outbox.js';
import type { Allowance } from '../quotas/project-quotas.js';
import { saveMarked, stageHost } from './import-marks.js';

interface StagedRow {
  readonly name: string;
  readonly host: string | null;
  readonly url: string | null;
  readonly size: number | null;
}

/** What waits in the staging area. A row stands before the first byte does, and goes after the last. */
export class StagingRows {
  constructor(
    readonly database: Database,
    readonly leases: Leases,
    /** Bytes. */
    readonly sizeCap: number,
    readonly outbox: Outbox,
  ) {}

  /** `image` is locked, and the caller, whom `context` names, may change it. */
  async begin(
    tx: Statements,
    image: Image,
    { host, size }: { host: string | null; size: number | null },
    context: string | null,
    allowance?: Allowance,
  ): Promise<Staging> {
    if (image.status !== 'queued') {
      throw new ServiceError('Conflict', `Data can be staged for a queued image; this one is ${image.status}.`);
    }
    if (size !== null && size > this.sizeCap) {
      throw new ServiceError('LimitExceeded', `An image may have ${this.sizeCap} bytes, not ${size}.`);
    }
    await allowance?.admit(tx, { uploading: 1, staging: size ?? 0 });
    const room = size === null && allowance ? await allowance.room(tx, 'staging') : Infinity;
    const name = randomUUID();
    const row = { name, image_id: image.id, host, url: null, size: null, abandoned: 0, created_at: this.#time(tx) };
    await insert(tx, 'staged_data', [row]);
    const reserved = allowance ? size : null;
    const work = { image_id: image.id, kind: 'stage', store: name, previous_status: null, context, reserved } as const;
    const lease = await this.leases.grant(tx, work);
    const properties = host === null ? image.properties : { ...image.properties, [stageHost]: host };
    const uploading = await this.#save(tx, image, { ...image, status: 'uploading', properties }, context);
    return { lease, image: uploading, maxSize: Math.min(this.sizeCap, room), name };
  }

  finish(token: string, { url, size }: { url: string; size: number }): Promise<void> {
    return this.leases.locked(this.database, token, async (tx, lease) => {
      const image = lease?.kind === 'stage' ? await findImage(tx, lease.image_id) : undefined;
      if (!lease || !image || image.status !== 'uploading' || lease.outcome === 'cancelled') throw leaseLost();
      if (lease.outcome === 'finished') return;
      await tx.run('UPDATE staged_data SET url = ?, size = ? WHERE name = ?', [url, size, lease.store]);
      await this.leases.settle(tx, token, 'finished');
      await this.#save(tx, image, { ...image, size }, lease.context);
    });
  }

  /** What is staged for the image, all of it. */
  async find(tx: Statements, imageId: string): Promise<{ data: StagedData; host: string | null } | undefined> {
    const sql = 'SELECT name, host, url, size FROM staged_data WHERE image_id = ? AND abandoned = 0';
    const row = (await tx.rows<StagedRow>(sql, [imageId])).find(({ url }) => url !== null);
    return row && { data: toData(row), host: row.host };
  }

  async named(name: string): Promise<StagedData | undefined> {
    const sql = 'SELECT name, host, url, size FROM staged_data WHERE name = ? AND abandoned = 0';
    const [row] = await this.database.rows<StagedRow>(sql, [name]);
    return row?.url ? toData(row) : undefined;
  }

  async abandoned(host: string | null, limit: number): Promise<string[]> {
    const sql = 'SELECT name FROM staged_data WHERE abandoned = 1 AND (host IS NULL OR host = ?) LIMIT ?';
    const rows = await this.database.rows<{ name: string }>(sql, [host, limit]);
    return rows.map(({ name }) => name);
  }

  async forget(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const marks = names.map(() => '?').join(', ');
    await this.database.run(`DELETE FROM staged_data WHERE abandoned = 1 AND name IN (${marks})`, names);
  }

  async #save(tx: Statements, before: Image, after: Image, context: string | null): Promise<Image> {
    const saved = await saveMarked(tx, before, after, new Date(this.leases.clock()));
    await this.outbox.add(tx, context, imageEvent('image.update', saved));
    return saved;
  }

  #time(tx: Statements): string {
    return tx.dialect.time(new Date(this.leases.clock()));
  }
}

function toData({ name, url, size }: StagedRow): StagedData {
  return { name, size: size ?? 0, location: { url: url ?? '', metadata: {} } };
}
