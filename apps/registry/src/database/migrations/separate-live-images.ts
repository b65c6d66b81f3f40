import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createListIndexes, indexesOf } from './create-list-indexes.js';

const columns = ['name', 'size', 'status', 'updated_at', 'disk_format', 'container_format', 'owner', 'visibility'];

/** Indexes of images that had the deleted ones among the others, in databases that were made with them. */
const obsolete = columns.map((column) => `glance_list_${column}_idx`);

export class SeparateLiveImages1732300000060 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createListIndexes(runner);
    const existing = await indexesOf(runner, 'images');
    for (const name of obsolete) if (existing.has(name)) await runner.dropIndex('images', name);
  }

  /** The new ones go where they came from, with `CreateListIndexes`. */
  async down(): Promise<void> {
    return undefined;
  }
}
