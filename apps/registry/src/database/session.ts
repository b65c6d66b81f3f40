import type { PoolConnection } from 'mysql2';
import type { DataSource, QueryResult, QueryRunner } from 'typeorm';
import { timedStatement } from './database-metrics.js';
import type { Dialect } from './dialect.js';
import { DatabaseFailure, databaseFailure } from './failure.js';
import type { LocationCipher } from './location-cipher.js';

export type SqlValue = string | number | null;

/** A `?` for each of the values, as a list has them. */
export const marks = (values: readonly SqlValue[]): string => values.map(() => '?').join(', ');

/** SQL with `?` for its values. */
export interface Statements {
  readonly dialect: Dialect;
  /** What stands between URLs of locations and their column. */
  readonly cipher: LocationCipher;
  rows<T>(sql: string, values?: readonly SqlValue[]): Promise<T[]>;
  /** How many rows matched. */
  run(sql: string, values?: readonly SqlValue[]): Promise<number>;
  /** Calls `listener` once, after the transaction was committed; never if it was not. */
  onCommit(listener: () => void): void;
}

/** Milliseconds. Nobody waits longer for an answer of the registry, and a dead network tells nothing by itself. */
const deadline = 25_000;

/** One connection for a while: for one reading, or for one transaction. */
export class Session implements Statements {
  readonly #runner: QueryRunner;
  readonly #listeners = new Set<() => void>();
  #broken = false;

  constructor(
    source: DataSource,
    readonly dialect: Dialect,
    readonly cipher: LocationCipher,
  ) {
    this.#runner = source.createQueryRunner();
  }

  async rows<T>(sql: string, values?: readonly SqlValue[]): Promise<T[]> {
    return (await this.#query(sql, values)).raw as T[];
  }

  async run(sql: string, values?: readonly SqlValue[]): Promise<number> {
    return (await this.#query(sql, values)).affected ?? 0;
  }

  onCommit(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async commit(): Promise<void> {
    await this.run('COMMIT');
    for (const listener of this.#listeners) listener();
  }

  async rollback(): Promise<void> {
    if (this.#broken) return;
    // SQLite has often rolled back by itself; a connection that cannot is none for the pool.
    await this.#query('ROLLBACK').catch(() => (this.#broken = true));
  }

  /** Gives the connection back, unless its state is unknown. */
  async release(): Promise<void> {
    if (this.#broken && this.dialect.name === 'mysql') void discard(this.#runner);
    await this.#runner.release();
  }

  #query(sql: string, values: readonly SqlValue[] = []): Promise<QueryResult> {
    return timedStatement(sql, this.dialect.name, () => this.#answer(sql, values));
  }

  async #answer(sql: string, values: readonly SqlValue[]): Promise<QueryResult> {
    const answer = this.#runner.query(sql, values as SqlValue[], true);
    try {
      // SQLite answers before anybody could wait.
      return await (this.dialect.name === 'sqlite' ? answer : inTime(answer));
    } catch (error) {
      const failure = databaseFailure(error);
      if (failure instanceof DatabaseFailure && failure.kind === 'unreachable') this.#broken = true;
      throw failure;
    }
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new DatabaseFailure('unreachable', `No answer within ${deadline} ms.`));
  }, deadline);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Also one that arrives too late. */
async function discard(runner: QueryRunner): Promise<void> {
  try {
    const connection = (await runner.connect()) as PoolConnection;
    connection.destroy();
  } catch {
    // There was none.
  }
}
