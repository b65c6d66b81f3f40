import { Entity, PrimaryColumn } from 'typeorm';

/** Not one of Glance's tables: a row for each project whose limits were looked at, locked while they are. */
@Entity('quota_projects')
export class QuotaProjectRow {
  @PrimaryColumn('varchar', { length: 255 }) project!: string;
}
