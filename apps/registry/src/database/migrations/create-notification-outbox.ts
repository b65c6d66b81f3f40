import { type MigrationInterface, type QueryRunner, TableColumn } from 'typeorm';
import { NotificationOutboxRow, NotificationRelayRow } from '../entities/notifications.js';
import { createTable } from './create-table.js';

export class CreateNotificationOutbox1732300000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTable(runner, runner.dataSource.getMetadata(NotificationOutboxRow));
    await createTable(runner, runner.dataSource.getMetadata(NotificationRelayRow));
    if (runner.dataSource.options.type === 'mysql') {
      // An image may have 128 properties of 64 kB.
      await runner.query('ALTER TABLE notification_outbox MODIFY payload LONGTEXT NOT NULL');
    }
    if (await runner.hasColumn('image_leases', 'context')) return;
    await runner.addColumn('image_leases', new TableColumn({ name: 'context', type: 'text', isNullable: true }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('notification_outbox');
    await runner.dropTable('notification_relay');
  }
}
