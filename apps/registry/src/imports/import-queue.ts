import { randomUUID } from 'node:crypto';
import type { ClaimedTask, ImportProgress, ImportWorker, Lease } from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { findImage, lockImage } from '../images/find-image.js';
import { insert } from '../images/image-writes.js';
import { isDuplicate } from '../database/failure.js';
import { leaseLost } from '../images/leases.js';
import { taskEvent } from '../notifications/events.js';
import type { Outbox } from '../notifications/outbox.js';
import type { ProjectQuotas } from '../quotas/project-quotas.js';
import { type ImportRow, importRows, mine, withTask } from './import-rows.js';
import type { StagingRows } from './staging.js';
import { changeTask, findTask } from './task-rows.js';

export interface QueueSettings {
  /** Seconds. */
  readonly taskLeaseTime: number;
  readonly tasksPerProject: number;
  /** Bytes. */
  readonly imageSizeCap: number;
}

/** How often a task may take down who works on it. */
const mostAttempts = 3;
/** Milliseconds after which a host that says nothing is taken for dead. */
const hostPatience = 45_000;
/** Milliseconds between two writes of when a host was seen. */
const hostPace = 10_000;

/** Who works on which import: the rows of `import_tasks` as a queue. */
export class ImportQueue {
  constructor(
    readonly database: Database,
    readonly settings: QueueSettings,
    readonly staging: StagingRows,
    readonly outbox: Outbox,
    readonly clock: () => number,
  ) {}

  get term(): number {
    return this.settings.taskLeaseTime * 1000;
  }

  async claim({ host, limit }: ImportWorker): Promise<ClaimedTask[]> {
    if (host !== null) await this.#seen(host);
    if (limit <= 0) return [];
    const claimed: ClaimedTask[] = [];
    for (const { task_id: id } of await this.#free(host, limit)) {
      const row = await this.#take(id, host);
      if (row) claimed.push(await this.#handOut(row));
    }
    return claimed;
  }

  async heartbeat(token: string, duty: ImportRow['duty'], progress: ImportProgress | null): Promise<Lease> {
    await this.database.transaction(async (tx) => {
      const now = this.clock();
      const sql = 'UPDATE import_tasks SET expires_at = ? WHERE token = ? AND duty = ? AND expires_at > 0';
      if ((await tx.run(sql, [now + this.term, token, duty])) === 0) throw leaseLost();
      if (!progress) return;
      const [row] = await importRows(tx, 'token = ?', [token]);
      if (row) await changeTask(tx, row.task_id, { message: sentence(progress) }, new Date(now));
    });
    return { token, expiresIn: this.term };
  }

  /** Keeps room in the project's quota for `size` bytes in each store that still waits, or fails with `LimitExceeded`. */
  async reserve(token: string, size: number, quotas: ProjectQuotas): Promise<void> {
    const [seen] = await importRows(this.database, 'token = ?', [token]);
    const allowance = seen && (await quotas.ofImage(this.database, seen.image_id));
    if (!allowance) return;
    await withTask(this.database, token, async (tx, row) => {
      const task = mine(row, 'run');
      const bytes = size * task.targets.filter(({ state, located }) => state !== 'failed' && !located).length;
      await allowance.admit(tx, { storage: bytes }, token);
      await tx.run('UPDATE import_tasks SET reserved = ? WHERE task_id = ?', [bytes, task.task_id]);
    });
  }

  async release(token: string): Promise<void> {
    // This was no death. But it was an attempt, whose traces the next one has to look for: so never back to none.
    const attempts = 'CASE WHEN attempts > 1 THEN attempts - 1 ELSE 1 END';
    const sql = `UPDATE import_tasks SET expires_at = 0, attempts = ${attempts} WHERE token = ? AND expires_at > 0`;
    await this.database.run(sql, [token]);
  }

  async #seen(host: string): Promise<void> {
    const now = this.clock();
    const [known] = await this.database.rows<{ seen_at: number }>('SELECT seen_at FROM import_hosts WHERE host = ?', [
      host,
    ]);
    if (known && known.seen_at > now - hostPace) return;
    await this.database.transaction(async (tx) => {
      if ((await tx.run('UPDATE import_hosts SET seen_at = ? WHERE host = ?', [now, host])) > 0) return;
      await insert(tx, 'import_hosts', [{ host, seen_at: now }]).catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      });
    });
  }

  /** Tasks that nobody works on, oldest first, of projects that have not too many under way. */
  async #free(host: string | null, limit: number): Promise<ImportRow[]> {
    const now = this.clock();
    const most = this.settings.tasksPerProject;
    const counts = await this.database.rows<{ owner: string; n: number }>(
      'SELECT owner, COUNT(*) AS n FROM import_tasks WHERE expires_at >= ? GROUP BY owner',
      [now],
    );
    const running = new Map(counts.map(({ owner, n }) => [owner, n]));
    const full = most > 0 ? counts.filter(({ n }) => n >= most).map(({ owner }) => owner) : [];
    const others = full.length > 0 ? ` AND (duty = 'undo' OR owner NOT IN (${full.map(() => '?').join(', ')}))` : '';
    const reached =
      "(host IS NULL OR host = ? OR duty = 'undo' OR NOT EXISTS (SELECT 1 FROM import_hosts h " +
      'WHERE h.host = import_tasks.host AND h.seen_at >= ?))';
    const rows = await importRows(
      this.database,
      `expires_at < ? AND ${reached}${others} ORDER BY created_at, task_id LIMIT ?`,
      [now, host, now - hostPatience, ...full, limit * 4],
    );
    const chosen = rows.filter(({ owner, duty }) => {
      const n = (running.get(owner) ?? 0) + 1;
      if (duty === 'run' && most > 0 && n > most) return false;
      running.set(owner, n);
      return true;
    });
    return chosen.slice(0, limit);
  }

  /** Of several who try, one gets it. */
  #take(id: string, host: string | null): Promise<ImportRow | undefined> {
    return this.database.transaction(async (tx) => {
      const now = this.clock();
      const [seen] = await importRows(tx, 'task_id = ?', [id]);
      if (!seen) return undefined;
      await lockImage(tx, seen.image_id);
      const [row] = await importRows(tx, `task_id = ? AND expires_at < ?${tx.dialect.forUpdate}`, [id, now]);
      if (!row) return undefined;
      const hopeless = row.duty === 'run' ? whyHopeless(row, host) : undefined;
      const taken = {
        token: randomUUID(),
        attempts: row.attempts + 1,
        duty: hopeless === undefined ? row.duty : ('undo' as const),
        reason: hopeless ?? row.reason,
      };
      await tx.run(
        'UPDATE import_tasks SET token = ?, expires_at = ?, attempts = ?, duty = ?, reason = ? WHERE task_id = ?',
        [taken.token, now + this.term, taken.attempts, taken.duty, taken.reason, id],
      );
      if (row.attempts === 0) await this.#begun(tx, row);
      return { ...row, ...taken };
    });
  }

  async #begun(tx: Statements, { task_id: id, context }: ImportRow): Promise<void> {
    const pending = await findTask(tx, id);
    if (pending.status !== 'pending') return;
    await changeTask(tx, id, { status: 'processing' }, new Date(this.clock()));
    const run = taskEvent('task.run', pending);
    await this.outbox.add(tx, context, run, taskEvent('task.processing', await findTask(tx, id)));
  }

  async #handOut(row: ImportRow): Promise<ClaimedTask> {
    const { work } = row;
    const image = await findImage(this.database, row.image_id);
    const asked = 'SELECT request_id FROM tasks WHERE id = ?';
    const [task] = await this.database.rows<{ request_id: string | null }>(asked, [row.task_id]);
    const requestId = task?.request_id ?? undefined;
    const staged = work.staged === null ? undefined : await this.staging.named(work.staged);
    return {
      id: row.task_id,
      lease: { token: row.token, expiresIn: this.term },
      duty: row.duty,
      imageId: row.image_id,
      ...(image && { image }),
      method: work.method,
      source: work.source,
      targets: row.targets.map(({ store, state, located }) => ({ store, state, ...(located && { located }) })),
      mustSucceed: work.mustSucceed,
      ...(work.certificate && { certificate: work.certificate }),
      ...(staged && { staged }),
      roles: work.roles,
      maxSize: this.settings.imageSizeCap,
      attempt: row.attempts,
      ...(requestId !== undefined && { requestId }),
    };
  }
}

function whyHopeless(row: ImportRow, host: string | null): string | undefined {
  if (row.host !== null && row.host !== host) {
    return `The host ${row.host}, which holds the staged data, does not answer. Stage the data again and repeat the import.`;
  }
  if (row.attempts < mostAttempts) return undefined;
  return `The service stopped ${mostAttempts} times in the middle of this import. Ask the administrator to look into its log.`;
}

const mebibytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 1 : 0);

/** How far an import is, for people. Glance: begins like this. */
function sentence({ step, done, total, rate }: ImportProgress): string {
  const percent =
    total !== null && total > 0 ? ` of ${mebibytes(total)} MiB (${Math.floor((100 * done) / total)} %)` : '';
  return `Copied ${mebibytes(done)} MiB${percent}, ${mebibytes(rate)} MiB/s, step: ${step}`;
}
