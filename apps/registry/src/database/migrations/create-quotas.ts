import { type MigrationInterface, type QueryRunner, TableColumn } from 'typeorm';
import { QuotaProjectRow } from '../entities/quotas.js';
import { createTable } from './create-table.js';

export class CreateQuotas1732300000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTable(runner, runner.dataSource.getMetadata(QuotaProjectRow));
    for (const table of ['image_leases', 'import_tasks']) {
      if (await runner.hasColumn(table, 'reserved')) continue;
      await runner.addColumn(table, new TableColumn({ name: 'reserved', type: 'bigint', isNullable: true }));
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('quota_projects');
    for (const table of ['image_leases', 'import_tasks']) await runner.dropColumn(table, 'reserved');
  }
}
