import { beginSpan } from '@glance/tracing';
import { Histogram } from 'prom-client';
import type { Dialect } from './dialect.js';
import { DatabaseFailure } from './failure.js';

const durations = new Histogram({
  name: 'db_client_operation_duration_seconds',
  help: 'How long statements took, with the wait for a connection; a transaction is several.',
  labelNames: ['db_operation_name', 'error_type'],
  buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
});

const known = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'START', 'BEGIN', 'COMMIT', 'ROLLBACK']);

/** Times a statement, which is a step of the current trace. Its text has `?` for what users have written. */
export async function timedStatement<T>(sql: string, system: Dialect['name'], work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const operation = operationOf(sql);
  const attributes = { 'db.system.name': system, 'db.operation.name': operation, 'db.query.text': sql };
  const span = beginSpan({ name: operation, kind: 'client', attributes });
  let error_type = '';
  try {
    return await span.within(work);
  } catch (error) {
    error_type = error instanceof DatabaseFailure ? error.kind : 'other';
    throw error;
  } finally {
    durations.observe({ db_operation_name: operation, error_type }, (performance.now() - began) / 1000);
    span.end({ error: error_type });
  }
}

/** The first word. */
function operationOf(sql: string): string {
  const end = sql.indexOf(' ');
  const word = end < 0 ? sql : sql.slice(0, end);
  return known.has(word) ? word : 'OTHER';
}

/** The connections of a process to its database. */
export interface ConnectionPool {
  readonly used: number;
  readonly idle: number;
  /** How many there may be. */
  readonly max: number;
  /** Statements that wait for one. */
  readonly pending: number;
}
