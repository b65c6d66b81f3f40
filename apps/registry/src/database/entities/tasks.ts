import { Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { SoftDeleted, Text, Time, Varchar } from './columns.js';

@Entity('tasks')
@Index('ix_tasks_type', ['type'])
@Index('ix_tasks_status', ['status'])
@Index('ix_tasks_owner', ['owner'])
@Index('ix_tasks_deleted', ['deleted'])
@Index('ix_tasks_updated_at', ['updatedAt'])
@Index('ix_tasks_image_id', ['imageId'])
export class TaskRow extends SoftDeleted {
  @PrimaryColumn('varchar', { length: 36 }) id!: string;
  @Varchar(30) type!: string;
  @Varchar(30) status!: string;
  @Varchar(255) owner!: string;
  @Time({ nullable: true }) expiresAt!: string | null;
  @Varchar(36, { nullable: true }) imageId!: string | null;
  @Varchar(64, { nullable: true }) requestId!: string | null;
  @Varchar(64, { nullable: true }) userId!: string | null;
}

@Entity('task_info')
export class TaskInfoRow {
  @ForeignKey(() => TaskRow, { name: 'task_info_ibfk_1' })
  @PrimaryColumn('varchar', { length: 36 })
  taskId!: string;

  @Text({ nullable: true }) input!: string | null;
  @Text({ nullable: true }) result!: string | null;
  @Text({ nullable: true }) message!: string | null;
}
