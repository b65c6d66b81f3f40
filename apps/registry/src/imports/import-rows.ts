import type {
  ImageLocation,
  ImportedData,
  ImportRequest,
  ImportTarget,
  JsonObject,
  TaskMethod,
  TaskType,
} from '@glance/domain';
import type { Database } from '../database/database.js';
import type { LocationCipher } from '../database/location-cipher.js';
import type { Statements } from '../database/session.js';
import { lockImage } from '../images/find-image.js';
import { leaseLost } from '../images/leases.js';

/** What an import is to do, as `import_tasks.work` keeps it. */
export interface ImportWork extends Pick<ImportRequest, 'mustSucceed' | 'source' | 'named' | 'certificate'> {
  readonly type: TaskType;
  readonly method: TaskMethod;
  /** The name of what was staged. */
  readonly staged: string | null;
  readonly roles: readonly string[];
}

/** A store that is written to, as `import_tasks.targets` keeps it. */
export interface TargetState extends ImportTarget {
  /** Of one that is written. */
  readonly data?: ImportedData;
  /** Of one that failed. */
  readonly reason?: string;
}

interface Stored {
  readonly task_id: string;
  readonly image_id: string;
  readonly owner: string;
  readonly token: string;
  readonly expires_at: number;
  readonly attempts: number;
  readonly host: string | null;
  readonly duty: 'run' | 'undo';
  readonly reason: string | null;
  /** Of notifications. */
  readonly context: string | null;
}

/** A row of `import_tasks`. */
export interface ImportRow extends Stored {
  readonly work: ImportWork;
  readonly targets: readonly TargetState[];
}

const columns = 'task_id, image_id, owner, token, expires_at, attempts, host, duty, reason, context, work, targets';

function toRow(row: Stored & { work: string; targets: string }, cipher: LocationCipher): ImportRow {
  const work = JSON.parse(row.work) as ImportWork;
  const targets = JSON.parse(row.targets) as TargetState[];
  const opened = (url: string): string => cipher.open(url);
  return { ...row, work: withUrl(work, opened), targets: withUrls(targets, opened) };
}

/** What `work` is to have: the URL of a location that is added is as `image_locations` has it. */
export function toWorkColumn(work: ImportWork, cipher: LocationCipher): string {
  return JSON.stringify(withUrl(work, (url) => cipher.seal(url)));
}

/** What `targets` is to have: the URLs of what is written are as `image_locations` has them. */
export function toTargetsColumn(targets: readonly TargetState[], cipher: LocationCipher): string {
  return JSON.stringify(withUrls(targets, (url) => cipher.seal(url)));
}

function withUrl(work: ImportWork, changed: (url: string) => string): ImportWork {
  if (work.method !== 'add-location') return work;
  const { location, ...source } = work.source as JsonObject & { readonly location: ImageLocation };
  return { ...work, source: { ...source, location: { ...location, url: changed(location.url) } } };
}

function withUrls(targets: readonly TargetState[], changed: (url: string) => string): TargetState[] {
  return targets.map((target) => {
    if (!target.data) return target;
    const { location } = target.data;
    return { ...target, data: { ...target.data, location: { ...location, url: changed(location.url) } } };
  });
}

/** The rows for which `condition` holds. */
export async function importRows(
  from: Pick<Statements, 'rows' | 'cipher'>,
  condition: string,
  values: readonly (string | number | null)[],
): Promise<ImportRow[]> {
  const sql = `SELECT ${columns} FROM import_tasks WHERE ${condition}`;
  return (await from.rows<Stored & { work: string; targets: string }>(sql, values)).map((row) =>
    toRow(row, from.cipher),
  );
}

/** Runs `work` with the task whose token this is, image and task locked; undefined if there is none (any more). */
export function withTask<T>(
  database: Database,
  token: string,
  work: (tx: Statements, row: ImportRow | undefined) => Promise<T>,
): Promise<T> {
  return database.transaction(async (tx) => {
    const [seen] = await importRows(tx, 'token = ?', [token]);
    if (!seen) return work(tx, undefined);
    // Always the image first: two orders would be a deadlock.
    await lockImage(tx, seen.image_id);
    const [row] = await importRows(tx, `token = ?${tx.dialect.forUpdate}`, [token]);
    return work(tx, row);
  });
}

/** Refuses whoever is not, or not any more, to do `duty`. */
export function mine(row: ImportRow | undefined, duty: ImportRow['duty']): ImportRow {
  if (row?.duty !== duty) throw leaseLost();
  return row;
}

export async function saveTargets(tx: Statements, id: string, targets: readonly TargetState[]): Promise<void> {
  await tx.run('UPDATE import_tasks SET targets = ? WHERE task_id = ?', [toTargetsColumn(targets, tx.cipher), id]);
}

/** Whatever is imported into the image is given up, and what is staged for it not needed any more. */
export async function abandonImports(tx: Statements, imageId: string, reason: string): Promise<void> {
  const undo = "UPDATE import_tasks SET duty = 'undo', reason = ? WHERE image_id = ? AND duty = 'run'";
  await tx.run(undo, [reason, imageId]);
  await tx.run('UPDATE staged_data SET abandoned = 1 WHERE image_id = ? AND abandoned = 0', [imageId]);
}
