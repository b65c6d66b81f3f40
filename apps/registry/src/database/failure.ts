import { QueryFailedError } from 'typeorm';
import { ServiceError } from '@glance/domain';

/**
 * What a failed statement means. `contention`: nothing happened, try again. `unreachable`: the connection is gone, and
 * with it the knowledge whether a commit succeeded. `refused`: the database takes no writes now, or is out of room.
 */
export type FailureKind = 'contention' | 'unreachable' | 'refused' | 'duplicate' | 'referenced' | 'other';

/** An error of the database without the statement and its values: those may hold location URLs. */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure';

  constructor(
    readonly kind: FailureKind,
    message: string,
  ) {
    super(message);
  }
}

/** By error code of MySQL, MariaDB, Galera, SQLite and the sockets below. */
const kinds: readonly (readonly [FailureKind, readonly (string | number)[]])[] = [
  // Deadlock, lock wait, row changed since read, Galera not ready, certification failure, MariaDB's "try again".
  ['contention', [1213, 1205, 1020, 1047, 1317, 1412, 'SQLITE_BUSY', 'SQLITE_LOCKED']],
  ['unreachable', [1040, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1203, 1927, 3169, 4031]],
  ['unreachable', ['PROTOCOL_CONNECTION_LOST', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND']],
  ['unreachable', ['EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'ENOENT', 'HANDSHAKE_NO_SSL_SUPPORT']],
  ['refused', [1021, 1114, 1290, 1792, 1836, 'SQLITE_READONLY', 'SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_CANTOPEN']],
  // Access denied, no such database: fatal to the connection, and no better next time.
  ['other', [1044, 1045, 1049, 1698]],
  ['duplicate', [1062, 1586, 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY']],
  ['referenced', [1451, 'SQLITE_CONSTRAINT_FOREIGNKEY']],
];

const kindOf = new Map(kinds.flatMap(([kind, codes]) => codes.map((code) => [code, kind] as const)));

/** Turns what TypeORM and the drivers throw into a `DatabaseFailure`; other errors pass as they are. */
export function databaseFailure(error: unknown): unknown {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!(cause instanceof Error) || !('code' in cause)) return error;
  const { code, errno, message } = cause as { code?: unknown; errno?: unknown; message: string };
  const text = String(code);
  const kind =
    kindOf.get(errno as number) ??
    kindOf.get(text) ??
    // Extended codes of SQLite begin with the plain one: SQLITE_BUSY_SNAPSHOT.
    kindOf.get(text.split('_').slice(0, 2).join('_')) ??
    ('fatal' in cause && cause.fatal === true ? 'unreachable' : undefined);
  if (kind === undefined && !(error instanceof QueryFailedError)) return error;
  return new DatabaseFailure(kind ?? 'other', `${text}: ${message}`);
}

/** Whether `error` says that a unique key exists already. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof DatabaseFailure && error.kind === 'duplicate';
}

/** What the rest of the service hears of a failure that repeating did not cure. */
export function asServiceError(error: unknown): unknown {
  if (!(error instanceof DatabaseFailure)) return error;
  const sentences: Partial<Record<FailureKind, string>> = {
    contention: 'The database is too busy; try again later.',
    unreachable: 'The database does not answer; try again later.',
    refused: 'The database takes no changes now; try again later.',
  };
  const sentence = sentences[error.kind];
  return sentence ? new ServiceError('Unavailable', sentence, {}, { cause: error }) : error;
}
