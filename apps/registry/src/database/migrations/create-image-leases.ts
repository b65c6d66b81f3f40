import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ImageLeaseRow } from '../entities/image-leases.js';
import { createTable } from './create-table.js';

export class CreateImageLeases1732300000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTable(runner, runner.dataSource.getMetadata(ImageLeaseRow));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('image_leases');
  }
}
