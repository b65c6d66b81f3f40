import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSettings } from '../config.js';
import { connect } from '../database/connect.js';

/** A database of its own for a test, empty. */
export interface TestDatabase {
  readonly settings: DatabaseSettings;
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: string;
  create(): Promise<TestDatabase>;
}

export const databaseSettings = (connection: string): DatabaseSettings => ({
  connection,
  maxPoolSize: 5,
  maxOverflow: 5,
  connectionRecycleTime: 3600,
  maxRetries: 0,
  retryInterval: 0,
  mysqlSqlMode: 'TRADITIONAL',
});

const sqlite: DatabaseKind = {
  name: 'SQLite',
  async create() {
    const directory = mkdtempSync(join(tmpdir(), 'glance-registry-'));
    return {
      settings: databaseSettings(`sqlite:///${join(directory, 'glance.sqlite')}`),
      async drop() {
        rmSync(directory, { recursive: true });
      },
    };
  },
};

const mysql: DatabaseKind = {
  name: 'MariaDB',
  async create() {
    const name = `registry_${randomUUID().replaceAll('-', '')}`;
    await administer(`CREATE DATABASE ${name}`);
    return { settings: databaseSettings(mysqlUrl(name)), drop: () => administer(`DROP DATABASE ${name}`) };
  },
};

/** `GLANCE_TEST_MYSQL` is the URL of a user who may create databases. */
function mysqlUrl(database: string): string {
  const server = process.env['GLANCE_TEST_MYSQL'];
  if (!server)
    throw new Error('GLANCE_TEST_MYSQL must name a server, such as mysql+pymysql://user:password@host:3306/');
  return `${server.replace(/\/[^/@]*$/, '')}/${database}?charset=utf8`;
}

async function administer(sql: string): Promise<void> {
  const server = await connect(databaseSettings(mysqlUrl('information_schema')));
  await server.writer.query(sql);
  await server.close();
}

/** What the suite of the registry runs on. */
export const databaseKinds: readonly DatabaseKind[] = [sqlite, mysql];
