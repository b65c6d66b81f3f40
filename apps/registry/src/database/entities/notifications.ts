import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { Text, Varchar } from './columns.js';

/** Not one of Glance's tables: notifications on their way to the broker. */
@Entity('notification_outbox')
export class NotificationOutboxRow {
  /** In this order those about one subject were written, and are sent. */
  @PrimaryGeneratedColumn({ type: 'bigint' }) id!: number;
  @Varchar(36) messageId!: string;
  @Varchar(255) eventType!: string;
  /** `INFO` or `ERROR`. */
  @Varchar(10) priority!: string;
  /** JSON. */
  @Text() payload!: string;
  /** JSON: who asked for the change; null if nobody did. */
  @Text({ nullable: true }) context!: string | null;
  /** What it is about. */
  @Varchar(255) subject!: string;
  /** How often delivering it has failed; counted only where that is limited. */
  @Column('int', { default: 0 }) attempts!: number;
  /** Milliseconds of the epoch. */
  @Column('bigint') createdAt!: number;
}

/** Not one of Glance's tables: which process sends them. One row. */
@Entity('notification_relay')
export class NotificationRelayRow {
  @PrimaryColumn('int') id!: number;
  @Varchar(36) owner!: string;
  /** Milliseconds of the epoch. */
  @Column('bigint') expiresAt!: number;
}
