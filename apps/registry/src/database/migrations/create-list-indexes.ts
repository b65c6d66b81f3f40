import { type MigrationInterface, type QueryRunner, TableIndex } from 'typeorm';

const textIndex = 'glance_list_property_value_idx';

/**
 * Our own, on tables of Glance's: each in the order of a list. Glance neither knows nor minds them. Those of images have
 * the live ones apart from the deleted, so that no list has to go past what is not purged yet.
 */
const indexes: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  images: {
    glance_live_created_at_idx: ['deleted', 'created_at'],
    glance_live_name_idx: ['deleted', 'name', 'created_at'],
    glance_live_size_idx: ['deleted', 'size', 'created_at'],
    glance_live_status_idx: ['deleted', 'status', 'created_at'],
    glance_live_updated_at_idx: ['deleted', 'updated_at', 'created_at'],
    glance_live_disk_format_idx: ['deleted', 'disk_format', 'created_at'],
    glance_live_container_format_idx: ['deleted', 'container_format', 'created_at'],
    glance_live_owner_idx: ['deleted', 'owner', 'created_at'],
    glance_live_visibility_idx: ['deleted', 'visibility', 'created_at'],
    // What waits for the scrubber, oldest first: it asks for some hundred at a time of perhaps hundred thousands.
    glance_due_deletion_idx: ['deleted', 'status', 'deleted_at'],
  },
  image_properties: { [textIndex]: ['name', 'value'] },
  image_tags: { glance_list_tag_value_idx: ['value'] },
  image_members: { glance_list_member_idx: ['member'] },
};

export class CreateListIndexes1732300000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createListIndexes(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, wanted] of Object.entries(indexes)) {
      for (const name of Object.keys(wanted)) await runner.dropIndex(table, name);
    }
  }
}

/** Those that are not there. */
export async function createListIndexes(runner: QueryRunner): Promise<void> {
  for (const [table, wanted] of Object.entries(indexes)) {
    const existing = await indexesOf(runner, table);
    for (const [name, columns] of Object.entries(wanted)) {
      if (!existing.has(name)) await create(runner, table, name, columns);
    }
  }
}

/** Names of indexes. */
export async function indexesOf(runner: QueryRunner, table: string): Promise<Set<string | undefined>> {
  return new Set((await runner.getTable(table))?.indices.map(({ name }) => name));
}

async function create(runner: QueryRunner, table: string, name: string, columns: readonly string[]): Promise<void> {
  if (name === textIndex && runner.dataSource.options.type === 'mysql') {
    // Of a text MySQL takes the beginning only; TypeORM has no word for that.
    await runner.query(`CREATE INDEX ${name} ON ${table} (name, value(64))`);
    return;
  }
  await runner.createIndex(table, new TableIndex({ name, columnNames: [...columns] }));
}
