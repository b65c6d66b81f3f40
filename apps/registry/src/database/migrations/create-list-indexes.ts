import { type MigrationInterface, type QueryRunner, TableIndex } from 'typeorm';

const textIndex = 'glance_list_property_value_idx';

/** Our own, on tables of Glance's: each in the order of a list. Glance neither knows nor minds them. */
const indexes: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  images: {
    glance_list_name_idx: ['name', 'created_at'],
    glance_list_size_idx: ['size', 'created_at'],
    glance_list_status_idx: ['status', 'created_at'],
    glance_list_updated_at_idx: ['updated_at', 'created_at'],
    glance_list_disk_format_idx: ['disk_format', 'created_at'],
    glance_list_container_format_idx: ['container_format', 'created_at'],
    glance_list_owner_idx: ['owner', 'created_at'],
    glance_list_visibility_idx: ['visibility', 'created_at'],
  },
  image_properties: { [textIndex]: ['name', 'value'] },
  image_tags: { glance_list_tag_value_idx: ['value'] },
  image_members: { glance_list_member_idx: ['member'] },
};

export class CreateListIndexes1732300000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [table, wanted] of Object.entries(indexes)) {
      const existing = new Set((await runner.getTable(table))?.indices.map(({ name }) => name));
      for (const [name, columns] of Object.entries(wanted)) {
        if (!existing.has(name)) await create(runner, table, name, columns);
      }
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, wanted] of Object.entries(indexes)) {
      for (const name of Object.keys(wanted)) await runner.dropIndex(table, name);
    }
  }
}

async function create(runner: QueryRunner, table: string, name: string, columns: readonly string[]): Promise<void> {
  if (name === textIndex && runner.dataSource.options.type === 'mysql') {
    // Of a text MySQL takes the beginning only; TypeORM has no word for that.
    await runner.query(`CREATE INDEX ${name} ON ${table} (name, value(64))`);
    return;
  }
  await runner.createIndex(table, new TableIndex({ name, columnNames: [...columns] }));
}
