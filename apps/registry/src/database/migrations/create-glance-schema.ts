import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';
import { mysqlDialect, sqliteDialect } from '../dialect.js';
import { glanceEntities } from '../entities.js';
import { createTable } from './create-table.js';

const resourceTypes = [
  'OS::Glance::Image',
  'OS::Cinder::Volume',
  'OS::Nova::Flavor',
  'OS::Nova::Aggregate',
  'OS::Nova::Server',
  'OS::Trove::Instance',
];

/** Glance's schema of 2024.1, which is that of all later releases. What exists of it stays as it is. */
export class CreateGlanceSchema1732300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const entity of glanceEntities) await createTable(runner, runner.dataSource.getMetadata(entity));
    if (await this.#isEmpty(runner, 'metadef_resource_types')) await this.#seed(runner);
    const versionTable = new Table({
      name: 'alembic_version',
      columns: [{ name: 'version_num', type: 'varchar', length: '32', isPrimary: true }],
    });
    await runner.createTable(versionTable, true);
    // Glance: an expanded database becomes the contracted one by `db contract`.
    if (await this.#isEmpty(runner, 'alembic_version')) {
      await runner.query("INSERT INTO alembic_version (version_num) VALUES ('2024_1_expand01')");
    }
  }

  async down(): Promise<void> {
    throw new Error('The schema of Glance is never removed.');
  }

  async #isEmpty(runner: QueryRunner, table: string): Promise<boolean> {
    return ((await runner.query(`SELECT 1 FROM ${table} LIMIT 1`)) as unknown[]).length === 0;
  }

  async #seed(runner: QueryRunner): Promise<void> {
    const dialect = runner.dataSource.options.type === 'mysql' ? mysqlDialect : sqliteDialect;
    const now = dialect.time(new Date());
    for (const name of resourceTypes) {
      const sql = 'INSERT INTO metadef_resource_types (name, protected, created_at, updated_at) VALUES (?, 1, ?, ?)';
      await runner.query(sql, [name, now, now]);
    }
  }
}
