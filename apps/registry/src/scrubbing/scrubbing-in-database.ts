import { randomUUID } from 'node:crypto';
import {
  type Backlog,
  type Caller,
  type ClaimedDeletion,
  type ClaimedWork,
  type DueDeletion,
  type DueWork,
  type Lease,
  type LocatedData,
  type PendingKind,
  type PendingPage,
  type PendingWork,
  type Postponed,
  type RunReport,
  type ScrubberRun,
  type Scrubbing,
  ServiceError,
} from '@glance/domain';
import { Authorization } from '../authorization/authorization.js';
import type { RegistrySettings } from '../config.js';
import type { Database } from '../database/database.js';
import { wireTime } from '../database/dialect.js';
import type { SqlValue } from '../database/session.js';
import { Deletions } from '../images/deletions.js';
import { findImage, lockImage } from '../images/find-image.js';
import { leaseLost, Leases, type LeaseRow } from '../images/leases.js';
import { activeLocations, type LocationColumns, toLocation } from '../images/location-rows.js';
import { Uploads } from '../images/uploads.js';
import { importRows } from '../imports/import-rows.js';
import { imageEvent } from '../notifications/events.js';
import { noOutbox, type Outbox } from '../notifications/outbox.js';
import { columnText } from './column-text.js';
import { pendingWork, stuckCondition } from './pending-work.js';
import { RunRecords } from './run-records.js';
import { unknownNames } from './unknown-names.js';

interface LocatedRow extends LocationColumns {
  readonly id: number;
  readonly image_id: string;
  readonly size: number | null;
  readonly changed: string;
}

/** What one call may be about. */
const most = 500;

function requireFew(things: readonly unknown[]): void {
  if (things.length > most) throw new ServiceError('Invalid', `At most ${most} can be asked about at a time.`);
}

/** The contract `Scrubbing` on Glance's tables and ours. */
export class ScrubbingInDatabase implements Scrubbing {
  readonly #leases: Leases;
  readonly #deletions: Deletions;
  readonly #uploads: Uploads;
  readonly #records: RunRecords;

  constructor(
    readonly database: Database,
    readonly settings: RegistrySettings,
    readonly clock: () => number = Date.now,
    readonly outbox: Outbox = noOutbox,
    readonly authorization = new Authorization(),
  ) {
    this.#leases = new Leases(settings.uploadLeaseTime * 1000, clock);
    this.#deletions = new Deletions(database, this.#leases, settings, outbox);
    this.#uploads = new Uploads(database, this.#leases, settings.imageSizeCap, outbox);
    this.#records = new RunRecords(database, clock);
  }

  async pending(kind: PendingKind, page: PendingPage): Promise<readonly PendingWork[]> {
    return pendingWork(this.database, kind, page, { now: this.clock(), dueSince: this.#deletions.dueSince() });
  }

  async located({
    after = 0,
    limit,
    imageId,
  }: {
    after?: number;
    limit: number;
    imageId?: string;
  }): Promise<readonly LocatedData[]> {
    const values: SqlValue[] = [after, ...(imageId === undefined ? [] : [imageId]), limit];
    const rows = await this.database.rows<LocatedRow>(
      'SELECT l.id, l.image_id, l.value, l.meta_data, i.size, COALESCE(i.updated_at, i.created_at) AS changed ' +
        'FROM image_locations l JOIN images i ON i.id = l.image_id ' +
        "WHERE l.deleted = 0 AND l.status = 'active' AND i.deleted = 0 AND i.status IN ('active', 'deactivated') " +
        `AND l.id > ?${imageId === undefined ? '' : ' AND l.image_id = ?'} ORDER BY l.id LIMIT ?`,
      values,
    );
    return rows.map((row) => ({
      id: row.id,
      imageId: row.image_id,
      location: toLocation(row, this.database.cipher),
      bytes: row.size,
      since: wireTime(row.changed),
    }));
  }

  async unknown(place: 'store' | 'staging' | 'cache', names: readonly string[]): Promise<readonly string[]> {
    requireFew(names);
    return unknownNames(this.database, place, names);
  }

  async claim(
    { kind, key, idleSince }: { kind: PendingKind; key: string; idleSince: number },
    store: string,
  ): Promise<ClaimedWork | undefined> {
    if (kind === 'deletion') return (await this.#deletions.claim([key]))[0];
    if (kind === 'import') return this.#claimImport(key, idleSince);
    if (kind === 'stuck') return this.#claimStuck(key, idleSince, store);
    if (kind === 'staged') throw new ServiceError('Invalid', 'Staged data is forgotten by its name.');
    const lease = await this.#leases.takeOne(this.database, key);
    return lease && this.#resumed(lease);
  }

  async claimDeletions(imageIds: readonly string[]): Promise<readonly DueDeletion[]> {
    requireFew(imageIds);
    return this.#deletions.claim(imageIds);
  }

  async finishDeletions(works: readonly ClaimedDeletion[]): Promise<readonly ClaimedDeletion[]> {
    requireFew(works);
    return works.length === 0 ? [] : this.#deletions.finishAll(works);
  }

  async giveBack(tokens: readonly string[]): Promise<void> {
    requireFew(tokens);
    if (tokens.length > 0) await this.#leases.giveBack(this.database, tokens);
  }

  /** The lock comes first: an upload that begins afterwards sees the lease. */
  claimOrphan(id: string): Promise<Lease | undefined> {
    return this.database.transaction(async (tx) => {
      await lockImage(tx, id);
      if ((await unknownNames(tx, 'store', [id])).length === 0) return undefined;
      const work = { image_id: id, kind: 'orphan', store: null, previous_status: null, context: null } as const;
      return this.#leases.grant(tx, work);
    });
  }

  async finishOrphan(token: string): Promise<void> {
    await this.database.run("DELETE FROM image_leases WHERE token = ? AND kind = 'orphan'", [token]);
  }

  forgetLocation(imageId: string, id: number): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      await lockImage(tx, imageId);
      const rows = await activeLocations(tx, imageId);
      if (rows.length <= 1 || !rows.some((row) => row.id === id)) return false;
      const time = tx.dialect.time(new Date(this.clock()));
      const forget =
        "UPDATE image_locations SET status = 'deleted', deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?";
      await tx.run(forget, [time, time, id]);
      await tx.run('UPDATE images SET updated_at = ? WHERE id = ?', [time, imageId]);
      const image = await findImage(tx, imageId);
      if (image) await this.outbox.add(tx, null, imageEvent('image.update', image));
      return true;
    });
  }

  postpone(token: string, reason: string): Promise<Postponed> {
    return this.#leases.locked(this.database, token, async (tx, lease) => {
      if (!lease || lease.outcome !== null) throw leaseLost();
      const postponed = await this.#leases.backOff(tx, lease, { pause: this.#leases.term, reason: columnText(reason) });
      return { attempts: postponed.attempts, nextTry: wireTime(new Date(postponed.expiresAt).toISOString()) };
    });
  }

  beginRun(run: { kind: ScrubberRun['kind']; host: string }): Promise<string> {
    return this.#records.begin(run);
  }

  finishRun(id: string, report: RunReport): Promise<void> {
    return this.#records.finish(id, report);
  }

  async runs(
    caller: Caller,
    page: { limit: number; marker?: string },
  ): Promise<{ runs: readonly ScrubberRun[]; backlog: Backlog }> {
    const { isAdmin } = await this.authorization.of(caller);
    if (!isAdmin) throw new ServiceError('Forbidden', 'Only administrators see what scrubbers did.');
    return { runs: await this.#records.list(page), backlog: await this.#records.backlog() };
  }

  #resumed(lease: LeaseRow): DueWork | Promise<DueWork> {
    const erases = lease.kind === 'delete' || lease.kind === 'location';
    return erases ? this.#deletions.resumed(lease) : this.#uploads.resumed(lease);
  }

  #claimStuck(id: string, idleSince: number, store: string): Promise<DueWork | undefined> {
    return this.database.transaction(async (tx) => {
      await lockImage(tx, id);
      const sql = `SELECT i.status FROM images i WHERE i.id = ? AND ${stuckCondition}`;
      const [row] = await tx.rows<{ status: string }>(sql, [id, tx.dialect.time(new Date(idleSince))]);
      if (!row) return undefined;
      const kind = row.status === 'uploading' ? 'stage' : 'upload';
      const work = {
        image_id: id,
        kind,
        store: kind === 'upload' ? store : null,
        previous_status: row.status,
        context: null,
      } as const;
      const lease = await this.#leases.grant(tx, work);
      return kind === 'stage' ? { kind, imageId: id, lease } : { kind, imageId: id, store, lease };
    });
  }

  #claimImport(taskId: string, idleSince: number): Promise<ClaimedWork | undefined> {
    return this.database.transaction(async (tx) => {
      const [seen] = await importRows(tx, 'task_id = ?', [taskId]);
      if (!seen) return undefined;
      await lockImage(tx, seen.image_id);
      const idle = [taskId, idleSince, idleSince];
      const condition = `task_id = ? AND expires_at < ? AND created_at < ?${tx.dialect.forUpdate}`;
      const [row] = await importRows(tx, condition, idle);
      if (!row) return undefined;
      const token = randomUUID();
      const expiresIn = this.settings.taskLeaseTime * 1000;
      const reason = row.reason ?? 'No process has worked on this import for a long time.';
      const sql = "UPDATE import_tasks SET token = ?, expires_at = ?, duty = 'undo', reason = ? WHERE task_id = ?";
      await tx.run(sql, [token, this.clock() + expiresIn, reason, taskId]);
      const stores = row.targets.filter(({ located }) => !located).map(({ store }) => store);
      return { kind: 'import', taskId, imageId: row.image_id, stores, lease: { token, expiresIn } };
    });
  }
}
