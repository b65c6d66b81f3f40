import { Entity, PrimaryColumn } from 'typeorm';
import { Varchar } from './columns.js';

/** Not one of Glance's tables: what images that wait for the scrubber were, unless they were active. */
@Entity('delayed_deletions')
export class DelayedDeletionRow {
  @PrimaryColumn('varchar', { length: 36 }) imageId!: string;
  @Varchar(30) status!: string;
}
