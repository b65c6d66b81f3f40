import { type MigrationInterface, type QueryRunner, TableColumn } from 'typeorm';
import { ScrubberRunRow } from '../entities/scrubber-runs.js';
import { createTable } from './create-table.js';

const columns = [
  { name: 'attempts', type: 'int', isNullable: true },
  { name: 'reason', type: 'text', isNullable: true },
];

export class CreateScrubberRuns1732300000050 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTable(runner, runner.dataSource.getMetadata(ScrubberRunRow));
    for (const column of columns) {
      if (await runner.hasColumn('image_leases', column.name)) continue;
      await runner.addColumn('image_leases', new TableColumn(column));
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('scrubber_runs');
    for (const { name } of columns) await runner.dropColumn('image_leases', name);
  }
}
