import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { Text, Time, Varchar } from './columns.js';

/** Not one of Glance's tables: work on an image's bytes that is under way, and who may finish it. */
@Entity('image_leases')
@Index('ix_image_leases_image_id', ['imageId'])
@Index('ix_image_leases_expires_at', ['expiresAt'])
export class ImageLeaseRow {
  @PrimaryColumn('varchar', { length: 36 }) token!: string;
  @Varchar(36) imageId!: string;
  /** `upload`, `stage`, `delete`, `location` for the removal of one, `orphan` for data that no image refers to. */
  @Varchar(10) kind!: string;
  /** Of an upload: the back end that is written to. Of a location: the id of its row. */
  @Varchar(255, { nullable: true }) store!: string | null;
  /** Of a deletion: what the image is again if its data cannot be erased. Of an upload: what it is, unless `saving`. */
  @Varchar(30, { nullable: true }) previousStatus!: string | null;
  /** Of work that is over: `finished` or `cancelled`; kept for a while for those who ask again. */
  @Varchar(10, { nullable: true }) outcome!: string | null;
  /** JSON: who asked for the work, for notifications of its end. */
  @Text({ nullable: true }) context!: string | null;
  /** Bytes of the project's quota that are kept for the data. */
  @Column('bigint', { nullable: true }) reserved!: number | null;
  /** How often it failed. */
  @Column('int', { nullable: true }) attempts!: number | null;
  /** Why it failed last, while it waits to be tried again. */
  @Text({ nullable: true }) reason!: string | null;
  /** Milliseconds of the epoch. */
  @Column('bigint') expiresAt!: number;
  @Time() createdAt!: string;
}
