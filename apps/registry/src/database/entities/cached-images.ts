import { Column, Entity, ForeignKey, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { Time, Varchar } from './columns.js';

@Entity('node_reference')
@Unique('uq_node_reference_node_reference_url', ['nodeReferenceUrl'])
export class NodeReferenceRow {
  @PrimaryGeneratedColumn({ type: 'bigint' }) nodeReferenceId!: number;
  @Varchar(255) nodeReferenceUrl!: string;
}

@Entity('cached_images')
@Unique('ix_cached_images_image_id_node_reference_id', ['imageId', 'nodeReferenceId'])
export class CachedImageRow {
  @PrimaryGeneratedColumn({ type: 'bigint' }) id!: number;
  @Varchar(36) imageId!: string;
  @Time() lastAccessed!: string;
  @Time() lastModified!: string;
  @Column('bigint') size!: number;
  @Column('int') hits!: number;
  @Varchar(32, { nullable: true }) checksum!: string | null;

  @ForeignKey(() => NodeReferenceRow, { name: 'cached_images_ibfk_1' })
  @Column('bigint')
  nodeReferenceId!: number;
}
