import type { Database } from './database/database.js';
import { dueDeletion } from './images/deletions.js';

/** Work that waits. Ages are in seconds, of the oldest piece, and 0 where there is none. */
export interface WaitingWork {
  /** Notifications that are not delivered yet. */
  readonly outbox: Waiting;
  readonly imports: Waiting & { readonly running: number };
  /** Deletions whose delay is over, since it was over. */
  readonly deletions: Waiting;
  /** Work on bytes that a dead process has left, since its lease ran out. */
  readonly abandoned: Waiting;
  /** Of both, those that have failed before. */
  readonly failing: number;
  /** Bytes of quotas that are kept for work under way. */
  readonly reserved: number;
  /** Bytes that wait for their import. */
  readonly staged: number;
}

interface Waiting {
  readonly waiting: number;
  readonly age: number;
}

interface Row {
  readonly n: number | string | null;
  readonly oldest: number | string | null;
}

/** What waits at `now` (milliseconds of the epoch); `scrubTime` in seconds. */
export async function waitingWorkOf(database: Database, scrubTime: number, now: number): Promise<WaitingWork> {
  const due = now - scrubTime * 1000;
  const row = async (sql: string, ...values: (string | number)[]): Promise<Row> =>
    (await database.rows<Row>(sql, values))[0]!;
  const total = async (sql: string, ...values: (string | number)[]): Promise<number> =>
    Number((await row(sql, ...values)).n ?? 0);
  // One after the other: who looks must not take the connections of those who work.
  const outbox = await row('SELECT COUNT(*) AS n, MIN(created_at) AS oldest FROM notification_outbox');
  const imports = await row(
    'SELECT COUNT(*) AS n, MIN(created_at) AS oldest FROM import_tasks WHERE expires_at < ?',
    now,
  );
  const running = await total('SELECT COUNT(*) AS n FROM import_tasks WHERE expires_at >= ?', now);
  const deletions = await row(
    `SELECT COUNT(*) AS n, MIN(i.deleted_at) AS oldest FROM images i WHERE ${dueDeletion}`,
    database.dialect.time(new Date(due)),
  );
  const abandoned = await row(
    "SELECT COUNT(*) AS n, MIN(expires_at) AS oldest FROM image_leases WHERE outcome IS NULL AND kind <> 'orphan' AND expires_at < ?",
    now,
  );
  const failing = await total('SELECT COUNT(*) AS n FROM image_leases WHERE outcome IS NULL AND attempts > 0');
  const leased = await total('SELECT SUM(reserved) AS n FROM image_leases WHERE outcome IS NULL');
  const imported = await total('SELECT SUM(reserved) AS n FROM import_tasks');
  const staged = await total('SELECT SUM(size) AS n FROM staged_data WHERE abandoned = 0');
  return {
    outbox: waiting(outbox, now),
    imports: { ...waiting(imports, now), running },
    deletions: waiting(deletions, due),
    abandoned: waiting(abandoned, now),
    failing,
    reserved: leased + imported,
    staged,
  };
}

function waiting({ n, oldest }: Row, now: number): Waiting {
  if (oldest === null) return { waiting: Number(n), age: 0 };
  // A column of time: Glance's are in UTC, and do not say so.
  const since =
    typeof oldest === 'string' && oldest.includes('-') ? Date.parse(`${oldest.slice(0, 19)}Z`) : Number(oldest);
  return { waiting: Number(n), age: Math.max(0, (now - since) / 1000) };
}
