import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ImportHostRow, ImportTaskRow, StagedDataRow } from '../entities/imports.js';
import { createTable } from './create-table.js';

export class CreateImports1732300000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const row of [ImportTaskRow, StagedDataRow, ImportHostRow]) {
      await createTable(runner, runner.dataSource.getMetadata(row));
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['import_hosts', 'staged_data', 'import_tasks']) await runner.dropTable(table);
  }
}
