import { randomUUID } from 'node:crypto';
import { type Backlog, type RunReport, type ScrubberRun, ServiceError } from '@glance/domain';
import type { Database } from '../database/database.js';
import { wireTime } from '../database/dialect.js';
import type { SqlValue } from '../database/session.js';
import { columnText } from './column-text.js';
import { insert } from '../images/image-writes.js';

/** Milliseconds that records are kept. */
const keep = 90 * 86_400_000;
/** What a record may take in the database. */
const mostErrors = 20;

interface Row {
  readonly id: string;
  readonly kind: ScrubberRun['kind'];
  readonly host: string;
  readonly started_at: number;
  readonly finished_at: number | null;
  readonly report: string | null;
}

/** The table `scrubber_runs`. Times are milliseconds of the epoch. */
export class RunRecords {
  constructor(
    readonly database: Database,
    readonly clock: () => number,
  ) {}

  begin({ kind, host }: { kind: ScrubberRun['kind']; host: string }): Promise<string> {
    const id = randomUUID();
    return this.database.transaction(async (tx) => {
      const now = this.clock();
      await tx.run('DELETE FROM scrubber_runs WHERE started_at < ?', [now - keep]);
      await insert(tx, 'scrubber_runs', [{ id, kind, host: host.slice(0, 255), started_at: now }]);
      return id;
    });
  }

  async finish(id: string, { outcomes, bytes, errors }: RunReport): Promise<void> {
    const few = errors.slice(0, mostErrors).map(columnText);
    const report = JSON.stringify({ outcomes, bytes, errors: few } satisfies RunReport);
    const sql = 'UPDATE scrubber_runs SET finished_at = ?, report = ? WHERE id = ?';
    await this.database.run(sql, [this.clock(), report, id]);
  }

  /** Newest first. `Invalid` for a marker that is none. */
  async list({ limit, marker }: { limit: number; marker?: string }): Promise<ScrubberRun[]> {
    const values: SqlValue[] = [];
    let after = '';
    if (marker !== undefined) {
      const [last] = await this.database.rows<Row>('SELECT started_at FROM scrubber_runs WHERE id = ?', [marker]);
      if (!last) throw new ServiceError('Invalid', 'There is no run of this id to go on from.');
      after = 'WHERE started_at < ? OR (started_at = ? AND id < ?)';
      values.push(last.started_at, last.started_at, marker);
    }
    const sql = `SELECT id, kind, host, started_at, finished_at, report FROM scrubber_runs ${after} ORDER BY started_at DESC, id DESC LIMIT ?`;
    return (await this.database.rows<Row>(sql, [...values, limit])).map(toRun);
  }

  async backlog(): Promise<Backlog> {
    const sql =
      "SELECT COUNT(*) AS images, COALESCE(SUM(size), 0) AS bytes, MIN(deleted_at) AS oldest FROM images WHERE deleted = 1 AND status = 'pending_delete'";
    // MySQL has sums as decimals.
    const [waiting] = await this.database.rows<{ images: number; bytes: number | string; oldest: string | null }>(sql);
    const [failing] = await this.database.rows<{ n: number }>(
      'SELECT COUNT(*) AS n FROM image_leases WHERE outcome IS NULL AND attempts > 0',
    );
    const { images = 0, bytes = 0, oldest = null } = waiting ?? {};
    return {
      images,
      bytes: Number(bytes),
      oldest: oldest === null ? null : wireTime(oldest),
      failing: failing?.n ?? 0,
    };
  }
}

function toRun({ id, kind, host, started_at, finished_at, report }: Row): ScrubberRun {
  const nothing: RunReport = { outcomes: {}, bytes: 0, errors: [] };
  return {
    id,
    kind,
    host,
    startedAt: wireTime(new Date(started_at).toISOString()),
    finishedAt: finished_at === null ? null : wireTime(new Date(finished_at).toISOString()),
    ...(report === null ? nothing : (JSON.parse(report) as RunReport)),
  };
}
