import { type EntityMetadata, type QueryRunner, Table, TableForeignKey } from 'typeorm';

/** Creates the table of an entity, or only those of its indexes that it lacks. */
export async function createTable(runner: QueryRunner, entity: EntityMetadata): Promise<void> {
  const table = tableOf(runner, entity);
  if (!(await runner.hasTable(table.name))) {
    await runner.createTable(table, false, true, true);
    return;
  }
  const existing = await runner.getTable(table.name);
  const names = new Set([...(existing?.indices ?? []), ...(existing?.uniques ?? [])].map((index) => index.name));
  for (const index of table.indices) if (!names.has(index.name)) await runner.createIndex(table.name, index);
}

function tableOf(runner: QueryRunner, entity: EntityMetadata): Table {
  const { driver } = runner.dataSource;
  const table = Table.create(entity, driver);
  table.foreignKeys = entity.foreignKeys.map((key) => TableForeignKey.create(key, driver));
  if (driver.options.type === 'mysql') {
    // Glance: its tables are utf8 of three bytes whatever the server's default is. TypeORM has no other place for that.
    table.engine = 'InnoDB DEFAULT CHARSET=utf8';
    for (const column of table.columns) if (column.type === 'tinyint') column.length = '1';
  } else {
    for (const column of table.columns) if (column.isGenerated) column.type = 'integer';
  }
  return table;
}
