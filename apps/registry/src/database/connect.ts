import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { ServiceError } from '@glance/domain';
import type { DatabaseSettings } from '../config.js';
import { type ConnectionTarget, parseConnectionUrl } from './connection-url.js';
import { Database } from './database.js';
import type { ConnectionPool } from './database-metrics.js';
import { mysqlDialect, sqliteDialect } from './dialect.js';
import { entities } from './entities.js';
import { SnakeCase } from './entities/columns.js';
import { asServiceError, databaseFailure, DatabaseFailure } from './failure.js';
import { LocationCipher } from './location-cipher.js';
import { migrations, migrationsTable } from './migrations.js';

type MysqlTarget = Extract<ConnectionTarget, { kind: 'mysql' }>;
interface Pragmas {
  pragma(text: string): unknown;
}

const shared = {
  entities,
  namingStrategy: new SnakeCase(),
  migrations,
  migrationsTableName: migrationsTable,
  logging: false as const,
};

/**
 * Connects to the database of `[database] connection`, trying again as the settings say while it does not answer.
 * Changes nothing in it. `cipher` is for the URLs of locations. Fails with `Invalid` for a wrong URL, `Unavailable` when the database stays away.
 */
export async function connect(settings: DatabaseSettings, cipher = new LocationCipher()): Promise<Database> {
  if (!settings.connection) throw new ServiceError('Invalid', '[database] connection is not set.');
  const target = parseConnectionUrl(settings.connection);
  if (target.kind === 'sqlite') return connectSqlite(target.path, cipher);
  let pool: mysql.Pool | undefined;
  const source = new DataSource(mysqlOptions(target, settings, (made) => (pool = made)));
  await initialize(source, target, settings);
  return new Database(mysqlDialect, cipher, source, source, () => stateOf(pool!));
}

async function connectSqlite(path: string | null, cipher: LocationCipher): Promise<Database> {
  const source = (): DataSource => new DataSource(sqliteOptions(path === null ? ':memory:' : resolve(path)));
  if (path !== null) await mkdir(dirname(resolve(path)), { recursive: true });
  const writer = await source().initialize().catch(unavailable);
  const reader = path === null ? writer : await source().initialize().catch(unavailable);
  return new Database(sqliteDialect, cipher, reader, writer);
}

const unavailable = (error: unknown): never => {
  throw asServiceError(databaseFailure(error));
};

function sqliteOptions(database: string): DataSourceOptions {
  return {
    ...shared,
    type: 'better-sqlite3',
    database,
    statementCacheSize: 300,
    // SQLite waits by blocking the whole process; `Database` waits without.
    timeout: 5,
    prepareDatabase: (connection: unknown) => {
      const set = (pragma: string): unknown => (connection as Pragmas).pragma(pragma);
      // Switching needs the file for itself: another process may be doing the same at this moment.
      set('busy_timeout = 5000');
      set('journal_mode = WAL');
      set('busy_timeout = 5');
      set('synchronous = FULL');
      set('foreign_keys = ON');
    },
  };
}

function mysqlOptions(
  target: MysqlTarget,
  settings: DatabaseSettings,
  onPool: (pool: mysql.Pool) => void,
): DataSourceOptions {
  const { host, port, user: username, password, database, tls } = target;
  const { maxPoolSize, maxOverflow, connectionRecycleTime, mysqlSqlMode } = settings;
  const read = (file: string | undefined): Buffer | undefined => (file === undefined ? undefined : readFileSync(file));
  return {
    ...shared,
    type: 'mysql',
    driver: {
      createPool(options: mysql.PoolOptions) {
        const pool = preparedPool(options, mysqlSqlMode);
        onPool(pool);
        return pool;
      },
    },
    ...{ host, port, username, password, database },
    ...(tls && { ssl: { ca: read(tls.ca), cert: read(tls.cert), key: read(tls.key) } }),
    charset: 'utf8mb4_general_ci',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: false,
    connectTimeout: 10_000,
    poolSize: maxOverflow < 0 ? 1000 : maxPoolSize + maxOverflow,
    extra: {
      jsonStrings: true,
      maxIdle: maxPoolSize,
      idleTimeout: connectionRecycleTime < 0 ? 2 ** 31 - 1 : connectionRecycleTime * 1000,
      enableKeepAlive: true,
      // None are prepared, and by default each connection, each failed one too, makes room for 16,000: half a MiB.
      maxPreparedStatements: 1,
    },
  };
}

/** Every new connection of the pool gets its session set up before its first statement. */
function preparedPool(options: mysql.PoolOptions, sqlMode: string): mysql.Pool {
  const pool = mysql.createPool(options);
  const session = [
    "time_zone = '+00:00'",
    // A request is given up long before the default of 50 s.
    'innodb_lock_wait_timeout = 5',
    ...(sqlMode ? [`sql_mode = ${mysql.escape(sqlMode)}`] : []),
  ];
  pool.on('connection', (connection) => {
    // Each statement sees what is committed by then: rows are locked first and read afterwards.
    connection.query(
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      (error) => error && connection.destroy(),
    );
    connection.query(`SET SESSION ${session.join(', SESSION ')}`, (error) => error && connection.destroy());
  });
  return pool;
}

/** What mysql2 knows and has no public name for. */
interface PoolInternals {
  readonly config: { readonly connectionLimit: number };
  readonly _allConnections: { readonly length: number };
  readonly _freeConnections: { readonly length: number };
  readonly _connectionQueue: { readonly length: number };
}

function stateOf(pool: mysql.Pool): ConnectionPool {
  const { config, _allConnections, _freeConnections, _connectionQueue } = pool as unknown as PoolInternals;
  return {
    used: _allConnections.length - _freeConnections.length,
    idle: _freeConnections.length,
    max: config.connectionLimit,
    pending: _connectionQueue.length,
  };
}

async function initialize(
  source: DataSource,
  { host, port }: MysqlTarget,
  { maxRetries, retryInterval }: DatabaseSettings,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await source.initialize();
      return;
    } catch (error) {
      const failure = databaseFailure(error);
      if (!(failure instanceof DatabaseFailure)) throw failure;
      const away = failure.kind === 'unreachable';
      if (!away) throw new ServiceError('Invalid', `[database] connection is refused by ${host}: ${failure.message}`);
      if (maxRetries >= 0 && attempt >= maxRetries) {
        throw new ServiceError('Unavailable', `The database at ${host}:${port} does not answer: ${failure.message}`);
      }
      await delay(retryInterval * 1000);
    }
  }
}
