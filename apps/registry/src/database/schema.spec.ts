import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, type TestDatabase } from '../testing/database.js';
import { connect } from './connect.js';
import type { Database } from './database.js';
import { entities } from './entities.js';
import { assertUsable, checkDatabase, databaseVersion, syncDatabase } from './schema.js';

describe.each(databaseKinds)('the schema on $name', (kind) => {
  let place: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    place = await kind.create();
    database = await connect(place.settings);
  });
  afterEach(async () => {
    await database.close();
    await place.drop();
  });

  /** What Glance Zed leaves behind: neither the tables of 2024.1 nor ours. */
  async function becomeZed(): Promise<void> {
    await syncDatabase(database);
    for (const table of ['cached_images', 'node_reference', 'image_leases', 'registry_migrations']) {
      await database.writer.query(`DROP TABLE ${table}`);
    }
    await database.writer.query("UPDATE alembic_version SET version_num = 'wallaby_contract01'");
    const drop = { sqlite: 'DROP INDEX os_hidden_image_idx', mysql: 'DROP INDEX os_hidden_image_idx ON images' };
    await database.writer.query(drop[database.dialect.name]);
    await database.run(
      "INSERT INTO metadef_resource_types (name, protected, created_at) VALUES ('Mine', 1, '2020-01-01')",
    );
  }

  const indexesOf = async (table: string): Promise<(string | undefined)[]> => {
    const runner = database.writer.createQueryRunner();
    const found = await runner.getTable(table);
    await runner.release();
    return found!.indices.map((index) => index.name);
  };

  it('is made from nothing by one sync', async () => {
    expect(await databaseVersion(database)).toBe(null);
    expect(await checkDatabase(database)).toBe('expand');
    await expect(assertUsable(database)).rejects.toThrow('glance-manage db sync');
    expect(await syncDatabase(database)).toBe('current');
    expect(await databaseVersion(database)).toBe('2024_1_contract01');
    await assertUsable(database);
    expect(await database.rows('SELECT name FROM metadef_resource_types')).toHaveLength(6);
    expect(await syncDatabase(database)).toBe('current');
  });

  it('is made in three steps, each of which says what comes next', async () => {
    await expect(syncDatabase(database, 'contract')).rejects.toMatchObject({ code: 'Conflict' });
    expect(await syncDatabase(database, 'expand')).toBe('contract');
    await assertUsable(database);
    expect(await syncDatabase(database, 'migrate')).toBe('contract');
    expect(await syncDatabase(database, 'contract')).toBe('current');
  });

  it('is made once when several processes are told to at the same time', async () => {
    const others = await Promise.all([1, 2, 3].map(() => connect(place.settings)));
    const states = await Promise.all([database, ...others].map((each) => syncDatabase(each)));
    for (const other of others) await other.close();
    expect(states).toEqual(['current', 'current', 'current', 'current']);
    expect(await database.rows('SELECT name FROM metadef_resource_types')).toHaveLength(6);
    expect(await databaseVersion(database)).toBe('2024_1_contract01');
  });

  it('adopts what Glance Zed left: adds what is missing, keeps rows and the revision', async () => {
    await becomeZed();
    expect(await checkDatabase(database)).toBe('expand');
    await expect(assertUsable(database)).rejects.toThrow('glance-manage db sync');
    expect(await syncDatabase(database)).toBe('current');
    expect(await databaseVersion(database)).toBe('wallaby_contract01');
    expect(await indexesOf('images')).toContain('os_hidden_image_idx');
    expect(await database.rows('SELECT name FROM metadef_resource_types')).toHaveLength(7);
    for (const entity of entities) {
      await database.rows(`SELECT COUNT(*) AS n FROM ${database.reader.getMetadata(entity).tableName}`);
    }
  });

  it('has the live images apart, also in databases whose indexes had the deleted ones among them', async () => {
    await syncDatabase(database);
    const drop = { sqlite: 'DROP INDEX glance_live_name_idx', mysql: 'DROP INDEX glance_live_name_idx ON images' };
    await database.writer.query(drop[database.dialect.name]);
    await database.writer.query('CREATE INDEX glance_list_name_idx ON images (name, created_at)');
    await database.run("DELETE FROM registry_migrations WHERE name LIKE 'SeparateLiveImages%'");
    expect(await checkDatabase(database)).toBe('expand');
    expect(await syncDatabase(database)).toBe('current');
    const indexes = await indexesOf('images');
    expect(indexes).toContain('glance_live_name_idx');
    expect(indexes).not.toContain('glance_list_name_idx');
  });

  it.each(['rocky_contract02', '2031_1_contract01'])('refuses a database of revision %s', async (revision) => {
    await becomeZed();
    await database.run('UPDATE alembic_version SET version_num = ?', [revision]);
    await expect(syncDatabase(database)).rejects.toThrow(revision);
    await expect(assertUsable(database)).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('refuses a database of Glance from before it recorded revisions', async () => {
    await becomeZed();
    await database.writer.query('DROP TABLE alembic_version');
    await expect(syncDatabase(database)).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('is missed when somebody removes a table', async () => {
    await syncDatabase(database);
    await database.writer.query('DROP TABLE image_leases');
    await expect(assertUsable(database)).rejects.toThrow('glance-manage db sync');
  });
});
