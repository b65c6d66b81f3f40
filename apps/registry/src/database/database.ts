import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { ConnectionPool } from './database-metrics.js';
import type { Dialect } from './dialect.js';
import { asServiceError, databaseFailure, DatabaseFailure, type FailureKind } from './failure.js';
import type { LocationCipher } from './location-cipher.js';
import { Session, type SqlValue, type Statements } from './session.js';

/** How often something is tried. A pool may hold several connections that died with the server; each costs one try. */
const attempts: Readonly<Record<FailureKind, number>> = {
  contention: 40,
  unreachable: 4,
  refused: 1,
  duplicate: 1,
  referenced: 1,
  other: 1,
};
/** Milliseconds between tries at most, and after which there is none. */
const longestPause = 200;
const patience = 8_000;

/**
 * The database behind TypeORM: statements outside of transactions, and transactions that are repeated as a whole when
 * somebody else was in the way. Fails with `Unavailable` when the database cannot be reached or takes no changes.
 */
export class Database {
  #last: Promise<unknown> = Promise.resolve();
  /** Counted, not kept: see `Traffic` in the api. */
  #running = 0;
  #ended = (): void => undefined;

  /**
   * `writer` is `reader` where the pool gives every transaction a connection of its own. TypeORM has one connection per
   * SQLite data source: there reads need another one, or they would see what a transaction has not committed.
   */
  constructor(
    readonly dialect: Dialect,
    readonly cipher: LocationCipher,
    readonly reader: DataSource,
    readonly writer: DataSource,
    /** Absent where there are no connections to run out of. */
    readonly pool?: () => ConnectionPool,
  ) {}

  /** Reads what is committed. */
  async rows<T>(sql: string, values?: readonly SqlValue[]): Promise<T[]> {
    const read = (): Promise<T[]> => this.#session(this.reader, (session) => session.rows<T>(sql, values));
    const inMemory = this.dialect.name === 'sqlite' && this.reader === this.writer;
    return this.#repeated(inMemory ? () => this.#exclusive(read) : read);
  }

  /** One statement that writes, and commits. */
  run(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return this.transaction((tx) => tx.run(sql, values));
  }

  /** Runs `work` in a transaction, more than once if need be: what it does besides the database must bear repeating. */
  transaction<T>(work: (tx: Statements) => Promise<T>): Promise<T> {
    const once = (): Promise<T> => this.#session(this.writer, (session) => transaction(session, work));
    return this.#repeated(this.dialect.name === 'sqlite' ? () => this.#exclusive(once) : once);
  }

  /** Lets what is under way end first. */
  async close(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#ended = resolve));
    await this.reader.destroy();
    if (this.writer !== this.reader) await this.writer.destroy();
  }

  async #session<T>(source: DataSource, work: (session: Session) => Promise<T>): Promise<T> {
    const session = new Session(source, this.dialect, this.cipher);
    try {
      return await work(session);
    } finally {
      await session.release();
    }
  }

  async #repeated<T>(once: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await this.#attempts(once);
    } finally {
      if (--this.#running === 0) this.#ended();
    }
  }

  async #attempts<T>(once: () => Promise<T>): Promise<T> {
    const began = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await once();
      } catch (error) {
        const failure = databaseFailure(error);
        if (!(failure instanceof DatabaseFailure)) throw failure;
        if (attempt >= attempts[failure.kind] || performance.now() - began > patience) throw asServiceError(failure);
        await delay(Math.random() * Math.min(longestPause, 2 ** attempt));
      }
    }
  }

  /** One after the other, in the order of asking. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

async function transaction<T>(session: Session, work: (tx: Statements) => Promise<T>): Promise<T> {
  let committing = false;
  try {
    await session.run(session.dialect.begin);
    const result = await work(session);
    committing = true;
    await session.commit();
    return result;
  } catch (error) {
    await session.rollback();
    // Whether it was committed, nobody knows: repeating could do it twice.
    const unknown = committing && error instanceof DatabaseFailure && error.kind === 'unreachable';
    throw unknown ? asServiceError(error) : error;
  }
}
