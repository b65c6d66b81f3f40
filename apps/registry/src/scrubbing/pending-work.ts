import type { PendingKind, PendingPage, PendingWork } from '@glance/domain';
import type { Database } from '../database/database.js';
import { wireTime } from '../database/dialect.js';
import type { SqlValue } from '../database/session.js';
import { dueDeletion } from '../images/deletions.js';

/** What there is to know to find pending work. */
export interface PendingClock {
  /** Milliseconds of the epoch. */
  readonly now: number;
  /** What was deleted then, or before, is due; as the database has times. */
  readonly dueSince: string;
}

interface Row {
  readonly k: string;
  readonly image_id: string;
  readonly store: string | null;
  readonly bytes: number | string | null;
  /** As the database has times, or milliseconds of the epoch. */
  readonly since: string | number;
  readonly detail: string | null;
  readonly attempts: number | null;
}

interface Kind {
  /** With the columns of `Row`, without order and limit; `?` as `values` has them, then that of `after`. */
  readonly sql: string;
  values(page: PendingPage, clock: PendingClock, time: (date: Date) => string): readonly SqlValue[];
  why(row: Row): string;
}

const verbs: Readonly<Record<string, string>> = {
  upload: 'Its upload',
  stage: 'The staging of its data',
  delete: 'Its deletion',
  location: 'The removal of one of its locations',
};

/** An image that nobody works on and that is neither queued nor active; the alias of `images` is `i`. */
export const stuckCondition =
  "i.deleted = 0 AND i.status IN ('saving', 'importing', 'uploading') AND COALESCE(i.updated_at, i.created_at) < ? AND " +
  'NOT EXISTS (SELECT 1 FROM image_leases l WHERE l.image_id = i.id AND l.outcome IS NULL) AND ' +
  'NOT EXISTS (SELECT 1 FROM import_tasks t WHERE t.image_id = i.id) AND ' +
  'NOT EXISTS (SELECT 1 FROM staged_data s WHERE s.image_id = i.id AND s.abandoned = 0)';

const kinds: Readonly<Record<PendingKind, Kind>> = {
  deletion: {
    sql:
      "SELECT i.id AS k, i.id AS image_id, NULL AS store, i.size * (SELECT COUNT(*) FROM image_locations l WHERE l.image_id = i.id AND l.status = 'pending_delete') AS bytes, " +
      'i.deleted_at AS since, NULL AS detail, NULL AS attempts FROM images i ' +
      `WHERE ${dueDeletion} AND i.id > ?`,
    values: (_, { dueSince }) => [dueSince],
    why: () => 'The image was deleted and the delay is over.',
  },
  interrupted: {
    sql:
      "SELECT l.token AS k, l.image_id, CASE l.kind WHEN 'upload' THEN l.store END AS store, i.size AS bytes, l.created_at AS since, " +
      'COALESCE(l.reason, l.kind) AS detail, CASE WHEN l.reason IS NULL THEN NULL ELSE l.attempts END AS attempts ' +
      "FROM image_leases l LEFT JOIN images i ON i.id = l.image_id WHERE l.outcome IS NULL AND l.kind <> 'orphan' AND " +
      '(l.expires_at < ? OR l.reason IS NOT NULL) AND l.token > ?',
    values: (_, { now }) => [now],
    why: ({ detail, attempts }) =>
      attempts === null
        ? `${verbs[detail ?? ''] ?? 'Work on it'} was interrupted.`
        : `Erasing it has failed ${attempts} times: ${detail}`,
  },
  import: {
    sql:
      'SELECT t.task_id AS k, t.image_id, NULL AS store, i.size AS bytes, t.created_at AS since, t.duty AS detail, NULL AS attempts ' +
      'FROM import_tasks t LEFT JOIN images i ON i.id = t.image_id WHERE t.expires_at < ? AND t.created_at < ? AND t.task_id > ?',
    values: ({ idleSince }) => [idleSince, idleSince],
    why: () => 'Nobody works on its import.',
  },
  stuck: {
    sql:
      'SELECT i.id AS k, i.id AS image_id, NULL AS store, i.size AS bytes, COALESCE(i.updated_at, i.created_at) AS since, i.status AS detail, ' +
      `NULL AS attempts FROM images i WHERE ${stuckCondition} AND i.id > ?`,
    values: ({ idleSince }, _, time) => [time(new Date(idleSince))],
    why: ({ detail }) => `The image is ${detail} and nobody works on it.`,
  },
  staged: {
    sql:
      "SELECT s.name AS k, s.image_id, 'staging' AS store, s.size AS bytes, s.created_at AS since, NULL AS detail, NULL AS attempts " +
      'FROM staged_data s WHERE s.abandoned = 1 AND (s.host IS NULL OR s.host = ?) AND s.name > ?',
    values: ({ host }) => [host],
    why: () => 'Nobody needs the staged data any more.',
  },
};

/** A page of pending work of one kind, ordered by its keys. */
export async function pendingWork(
  database: Database,
  kind: PendingKind,
  page: PendingPage,
  clock: PendingClock,
): Promise<PendingWork[]> {
  const { sql, values, why } = kinds[kind];
  const given = [...values(page, clock, database.dialect.time), page.after ?? '', page.limit];
  const rows = await database.rows<Row>(`${sql} ORDER BY k LIMIT ?`, given);
  return rows.map((row) => ({
    kind,
    key: row.k,
    imageId: row.image_id,
    store: row.store,
    bytes: row.bytes === null ? null : Number(row.bytes),
    since: typeof row.since === 'number' ? wireTime(new Date(row.since).toISOString()) : wireTime(row.since),
    why: why(row),
  }));
}
