import { ServiceError } from '@glance/domain';
import type { Database } from './database.js';
import { entities } from './entities.js';
import { migrations, migrationsTable } from './migrations.js';
import type { Statements } from './session.js';

/** The last revision of Glance's own schema. */
const newest = '2024_1';
/** Series whose schema can be used as it is; later ones added tables only. */
const series = ['wallaby', 'xena', 'yoga', 'zed', '2023_1', newest];

/** What `db check` answers: nothing to do, or which of the three steps of an upgrade comes next. */
export type SchemaState = 'current' | 'expand' | 'migrate' | 'contract';

/** The steps of `db sync`; each may be run alone. `sync` is all of them. */
export type SchemaStep = 'sync' | 'expand' | 'migrate' | 'contract';

const exists = async ({ reader, dialect }: Database, table: string): Promise<boolean> => {
  const catalogue =
    dialect.name === 'sqlite'
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?"
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?';
  return (await reader.query<unknown[]>(catalogue, [table])).length > 0;
};

/** The revision of Glance's schema, such as `2024_1_contract01`; null for a database without one. */
export async function databaseVersion(database: Database): Promise<string | null> {
  if (!(await exists(database, 'alembic_version'))) return null;
  const rows = await database.rows<{ version_num: string }>(
    'SELECT version_num FROM alembic_version ORDER BY version_num',
  );
  return rows.length === 0 ? null : rows.map((row) => row.version_num).join(', ');
}

/** What is outstanding. Changes nothing. Fails with `Conflict` for a schema of Glance that cannot be adopted. */
export async function checkDatabase(database: Database): Promise<SchemaState> {
  const version = await databaseVersion(database);
  await assertAdoptable(database, version);
  if (version === null || (await missing(database)).length > 0) return 'expand';
  return version.includes('_contract') ? 'current' : 'contract';
}

/**
 * Brings the schema up to date, or takes one step of that. An existing database of Glance (Zed to 2026.2) keeps its
 * data and its `alembic_version`, and gets the tables and indexes that it lacks. Answers what is outstanding then.
 */
export async function syncDatabase(database: Database, step: SchemaStep = 'sync'): Promise<SchemaState> {
  await assertAdoptable(database, await databaseVersion(database));
  if (step === 'sync' || step === 'expand') await migrate(database);
  const state = await checkDatabase(database);
  if (step === 'contract' && state === 'expand') throw new ServiceError('Conflict', 'Run "db expand" first.');
  if (state === 'contract' && (step === 'sync' || step === 'contract')) await markContracted(database);
  return checkDatabase(database);
}

/** Fails with `Conflict`, and says what to do, unless the service can work with this database. */
export async function assertUsable(database: Database): Promise<void> {
  const state = await checkDatabase(database);
  if (state === 'current' || state === 'contract') return;
  throw new ServiceError('Conflict', 'The database schema is missing or too old. Run: glance-manage db sync');
}

async function assertAdoptable(database: Database, version: string | null): Promise<void> {
  if (version === null) {
    if (!(await exists(database, 'images')) || (await exists(database, migrationsTable))) return;
    throw new ServiceError(
      'Conflict',
      'The database has images but no alembic_version: it is older than Glance Ocata.',
    );
  }
  const known = version.split(', ').every((revision) => series.some((name) => revision.startsWith(`${name}_`)));
  if (known) return;
  throw new ServiceError(
    'Conflict',
    `The database is at Glance revision ${version}. Only wallaby_contract01 (Glance Zed) to ${newest}_contract01 can be ` +
      'adopted: upgrade it with the glance-manage of such a release first.',
  );
}

/** One at a time: several nodes may be told to do this at once. */
function migrate(database: Database): Promise<void> {
  return database.transaction(async (tx) => {
    const lock = tx.dialect.name === 'mysql';
    if (lock) await takeLock(tx);
    try {
      // On SQLite this is the connection of the transaction; MySQL commits with every change of the schema anyway, and
      // each migration bears being repeated.
      await database.writer.runMigrations({ transaction: 'none' });
    } finally {
      if (lock) await tx.rows('SELECT RELEASE_LOCK(?)', [migrationsTable]);
    }
  });
}

async function takeLock(tx: Statements): Promise<void> {
  const [row] = await tx.rows<{ got: number | null }>('SELECT GET_LOCK(?, 20) AS got', [migrationsTable]);
  if (row?.got !== 1) throw new ServiceError('Unavailable', 'Somebody else is changing the schema; try again later.');
}

async function markContracted(database: Database): Promise<void> {
  const sql = 'UPDATE alembic_version SET version_num = ? WHERE version_num = ?';
  await database.run(sql, [`${newest}_contract01`, `${newest}_expand01`]);
}

/** Our migrations that have not run, and tables that are gone. */
async function missing(database: Database): Promise<string[]> {
  if (!(await exists(database, migrationsTable))) return [migrationsTable];
  const rows = await database.rows<{ name: string }>(`SELECT name FROM ${migrationsTable}`);
  const done = new Set(rows.map((row) => row.name));
  const names = migrations.map((migration) => migration.name).filter((name) => !done.has(name));
  for (const entity of entities) {
    const { tableName } = database.writer.getMetadata(entity);
    if (!(await exists(database, tableName))) names.push(tableName);
  }
  return names;
}
