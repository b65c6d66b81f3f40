import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { Flag, Text, Time, Varchar } from './columns.js';

/** Not one of Glance's tables: imports that are not over, and who works on them. Glance's `tasks` is what people see. */
@Entity('import_tasks')
@Index('ix_import_tasks_image_id', ['imageId'])
@Index('ix_import_tasks_token', ['token'])
@Index('ix_import_tasks_expires_at', ['expiresAt'])
export class ImportTaskRow {
  @PrimaryColumn('varchar', { length: 36 }) taskId!: string;
  @Varchar(36) imageId!: string;
  @Varchar(255) owner!: string;
  /** Of whoever works on it. */
  @Varchar(36) token!: string;
  /** Milliseconds of the epoch; 0 while nobody works on it. */
  @Column('bigint') expiresAt!: number;
  /** Milliseconds of the epoch. */
  @Column('bigint') createdAt!: number;
  @Column('int') attempts!: number;
  /** The only one that reaches what is staged. */
  @Varchar(255, { nullable: true }) host!: string | null;
  /** `run` or `undo`. */
  @Varchar(10) duty!: string;
  /** Why it is undone. */
  @Text({ nullable: true }) reason!: string | null;
  /** JSON: what is to be done. */
  @Text() work!: string;
  /** JSON: the stores, and how far each is. */
  @Text() targets!: string;
  /** JSON: who asked for it, for notifications. */
  @Text({ nullable: true }) context!: string | null;
  /** Bytes of the project's quota that are kept for the data in all of its stores. */
  @Column('bigint', { nullable: true }) reserved!: number | null;
}

/** Not one of Glance's tables: what lies, or may lie, in the staging area. */
@Entity('staged_data')
@Index('ix_staged_data_image_id', ['imageId'])
@Index('ix_staged_data_abandoned', ['abandoned'])
export class StagedDataRow {
  @PrimaryColumn('varchar', { length: 36 }) name!: string;
  @Varchar(36) imageId!: string;
  /** The only one that reaches it. */
  @Varchar(255, { nullable: true }) host!: string | null;
  /** Null until all of it is there. */
  @Text({ nullable: true }) url!: string | null;
  @Column('bigint', { nullable: true }) size!: number | null;
  /** Nobody needs it any more: to be discarded. */
  @Flag() abandoned!: number;
  @Time() createdAt!: string;
}

/** Not one of Glance's tables: hosts with a staging area of their own, and when they were last heard of. */
@Entity('import_hosts')
export class ImportHostRow {
  @PrimaryColumn('varchar', { length: 255 }) host!: string;
  /** Milliseconds of the epoch. */
  @Column('bigint') seenAt!: number;
}
