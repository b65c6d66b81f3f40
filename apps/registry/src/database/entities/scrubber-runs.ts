import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { Text, Varchar } from './columns.js';

/** Not one of Glance's tables: what scrubbers did. */
@Entity('scrubber_runs')
@Index('ix_scrubber_runs_started_at', ['startedAt'])
export class ScrubberRunRow {
  @PrimaryColumn('varchar', { length: 36 }) id!: string;
  /** `run` or `apply`. */
  @Varchar(10) kind!: string;
  @Varchar(255) host!: string;
  /** Milliseconds of the epoch. */
  @Column('bigint') startedAt!: number;
  @Column('bigint', { nullable: true }) finishedAt!: number | null;
  /** JSON: how many pieces of work had which outcome, bytes, and the first errors. */
  @Text({ nullable: true }) report!: string | null;
}
