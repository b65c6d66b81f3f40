import { randomUUID } from 'node:crypto';
import { type Lease, ServiceError } from '@glance/domain';
import type { Database } from '../database/database.js';
import { marks, type Statements } from '../database/session.js';
import type { Allowance } from '../quotas/project-quotas.js';
import { lockImages } from './find-image.js';
import { insert } from './image-writes.js';

export interface LeaseRow {
  readonly token: string;
  readonly image_id: string;
  readonly kind: 'upload' | 'stage' | 'delete' | 'location' | 'orphan';
  readonly store: string | null;
  readonly previous_status: string | null;
  readonly outcome: 'finished' | 'cancelled' | null;
  /** Of notifications. */
  readonly context: string | null;
  /** How often it failed. */
  readonly attempts: number | null;
}

const columns = 'token, image_id, kind, store, previous_status, outcome, context, attempts';
/** Milliseconds: what fails again and again is not tried less often. */
const longestPause = 6 * 3_600_000;

type Work = Pick<LeaseRow, 'image_id' | 'kind' | 'store' | 'previous_status' | 'context'> & {
  /** Bytes. */
  readonly reserved?: number | null;
};

export const leaseLost = (): ServiceError =>
  new ServiceError('Gone', 'The image was deleted meanwhile, or somebody else has taken over the work on it.');

/** The table `image_leases`: who works on which bytes, and until when without a sign of life. */
export class Leases {
  /** When settled leases are forgotten next. */
  #forgetting = 0;

  /** `term` in milliseconds; `clock` as `Date.now`. */
  constructor(
    readonly term: number,
    readonly clock: () => number,
  ) {}

  async grant(tx: Statements, work: Work): Promise<Lease> {
    return (await this.grantAll(tx, [work]))[0]!;
  }

  /** One for each, in their order. */
  async grantAll(tx: Statements, works: readonly Work[]): Promise<Lease[]> {
    const now = this.clock();
    await this.#forgetSettled(tx, now);
    const created_at = tx.dialect.time(new Date(now));
    const rows = works.map((work) => ({ token: randomUUID(), ...work, expires_at: now + this.term, created_at }));
    await insert(tx, 'image_leases', rows);
    return rows.map(({ token }) => ({ token, expiresIn: this.term }));
  }

  /** Extends the lease while the work makes sense: an upload, also to staging, ends when its image is deleted. */
  async renew(database: Database, token: string): Promise<Lease> {
    const sql =
      "UPDATE image_leases SET expires_at = ? WHERE token = ? AND outcome IS NULL AND (kind IN ('delete', 'location', 'orphan') OR EXISTS " +
      '(SELECT 1 FROM images i WHERE i.id = image_leases.image_id AND i.deleted = 0 AND i.status = ' +
      "COALESCE(image_leases.previous_status, CASE image_leases.kind WHEN 'stage' THEN 'uploading' ELSE 'saving' END)))";
    if ((await database.run(sql, [this.clock() + this.term, token])) === 0) throw leaseLost();
    return { token, expiresIn: this.term };
  }

  /** Runs `work` with the lease of `token`, image and lease locked; without one if there is none (any more). */
  locked<T>(
    database: Database,
    token: string,
    work: (tx: Statements, lease: LeaseRow | undefined) => Promise<T>,
  ): Promise<T> {
    return this.allLocked(database, [token], (tx, [lease]) => work(tx, lease));
  }

  /** Runs `work` with those leases of `tokens` that there are, in their order; images and leases locked. */
  allLocked<T>(
    database: Database,
    tokens: readonly string[],
    work: (tx: Statements, leases: readonly LeaseRow[]) => Promise<T>,
  ): Promise<T> {
    return database.transaction(async (tx) => {
      const find = `SELECT ${columns} FROM image_leases WHERE token IN (${marks(tokens)})`;
      const seen = await tx.rows<LeaseRow>(find, tokens);
      if (seen.length === 0) return work(tx, []);
      // Always the image first: two orders would be a deadlock.
      const images = new Set(seen.map((lease) => lease.image_id));
      await lockImages(tx, [...images]);
      const leases = await tx.rows<LeaseRow>(`${find} ORDER BY token${tx.dialect.forUpdate}`, tokens);
      return work(tx, leases);
    });
  }

  /** The work is over; the row stays for a term, for those whose answer was lost. */
  async settle(tx: Statements, token: string, outcome: 'finished' | 'cancelled'): Promise<void> {
    await tx.run('UPDATE image_leases SET outcome = ?, expires_at = ? WHERE token = ?', [
      outcome,
      this.clock() + this.term,
      token,
    ]);
  }

  /** Nobody has to do this work for `pause` milliseconds, and twice as long each time. Answers with what it is then. */
  async backOff(
    tx: Statements,
    { token, attempts }: LeaseRow,
    { pause, reason }: { pause: number; reason: string },
  ): Promise<{ attempts: number; expiresAt: number }> {
    const failed = (attempts ?? 0) + 1;
    const expiresAt = this.clock() + Math.min(pause * 2 ** (failed - 1), Math.max(pause, longestPause));
    const sql = 'UPDATE image_leases SET expires_at = ?, attempts = ?, reason = ? WHERE token = ?';
    await tx.run(sql, [expiresAt, failed, reason, token]);
    return { attempts: failed, expiresAt };
  }

  /** Keeps `bytes` of the project's quota for the work, or fails with `LimitExceeded`. */
  reserve(database: Database, token: string, bytes: number, allowance: Allowance): Promise<void> {
    return this.locked(database, token, async (tx, lease) => {
      if (!lease || lease.outcome !== null) throw leaseLost();
      await allowance.admit(tx, lease.kind === 'stage' ? { staging: bytes } : { storage: bytes }, token);
      await tx.run('UPDATE image_leases SET reserved = ? WHERE token = ?', [bytes, token]);
    });
  }

  /** Of the image that the work of `token` is on. */
  async imageOf(database: Database, token: string): Promise<string | undefined> {
    const [row] = await database.rows<{ image_id: string }>('SELECT image_id FROM image_leases WHERE token = ?', [
      token,
    ]);
    return row?.image_id;
  }

  /** Nothing has been done under these leases of delayed deletions: the images wait as before. */
  async giveBack(database: Database, tokens: readonly string[]): Promise<void> {
    const mine = `token IN (${marks(tokens)}) AND outcome IS NULL AND kind = 'delete' AND previous_status = 'pending_delete'`;
    await database.run(`DELETE FROM image_leases WHERE ${mine}`, tokens);
  }

  async drop(tx: Statements, ...tokens: readonly string[]): Promise<void> {
    await tx.run(`DELETE FROM image_leases WHERE token IN (${marks(tokens)})`, tokens);
  }

  /** Takes over at most `limit` leases that ran out, each with a new token: of several callers one gets it. */
  async takeOver(database: Database, limit: number): Promise<LeaseRow[]> {
    const sql = `SELECT ${columns} FROM image_leases WHERE outcome IS NULL AND kind <> 'orphan' AND expires_at < ? ORDER BY expires_at LIMIT ?`;
    const taken: LeaseRow[] = [];
    for (const lease of await database.rows<LeaseRow>(sql, [this.clock(), limit])) {
      const won = await this.#take(database, lease, 'expires_at < ?');
      if (won) taken.push(won);
    }
    return taken;
  }

  /** Takes over the lease of `token`, if it ran out or waits to be tried again. */
  async takeOne(database: Database, token: string): Promise<LeaseRow | undefined> {
    const find = `SELECT ${columns} FROM image_leases WHERE token = ? AND outcome IS NULL AND kind <> 'orphan'`;
    const [lease] = await database.rows<LeaseRow>(find, [token]);
    return lease && this.#take(database, lease, '(expires_at < ? OR reason IS NOT NULL)');
  }

  async #take(database: Database, lease: LeaseRow, free: string): Promise<LeaseRow | undefined> {
    const now = this.clock();
    const token = randomUUID();
    const swap = `UPDATE image_leases SET token = ?, expires_at = ?, reason = NULL WHERE token = ? AND outcome IS NULL AND ${free}`;
    const won = await database.run(swap, [token, now + this.term, lease.token, now]);
    return won > 0 ? { ...lease, token } : undefined;
  }

  /** Seldom: whoever begins or ends work at that moment is in the way. */
  async #forgetSettled(tx: Statements, now: number): Promise<void> {
    if (now < this.#forgetting) return;
    this.#forgetting = now + this.term / 2;
    const over = "outcome IS NOT NULL OR kind = 'orphan'";
    await tx.run(`DELETE FROM image_leases WHERE expires_at < ? AND (${over})`, [now]);
  }
}

/** Fails with `Conflict` while data of this id that no image refers to is being erased. `now` as `Date.now`. */
export async function assertNoOrphan(tx: Statements, imageId: string, now: number): Promise<void> {
  const sql =
    "SELECT 1 FROM image_leases WHERE image_id = ? AND kind = 'orphan' AND outcome IS NULL AND expires_at >= ?";
  if ((await tx.rows(sql, [imageId, now])).length === 0) return;
  throw new ServiceError('Conflict', `What a store has left of image ${imageId} is being erased; try again.`);
}
