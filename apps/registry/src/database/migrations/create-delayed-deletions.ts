import type { MigrationInterface, QueryRunner } from 'typeorm';
import { DelayedDeletionRow } from '../entities/delayed-deletions.js';
import { createTable } from './create-table.js';

export class CreateDelayedDeletions1732300000040 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTable(runner, runner.dataSource.getMetadata(DelayedDeletionRow));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('delayed_deletions');
  }
}
