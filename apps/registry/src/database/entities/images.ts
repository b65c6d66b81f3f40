import { Column, Entity, ForeignKey, Index, PrimaryColumn, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { Flag, SoftDeleted, Text, Varchar } from './columns.js';

@Entity('images')
@Index('checksum_image_idx', ['checksum'])
@Index('visibility_image_idx', ['visibility'])
@Index('ix_images_deleted', ['deleted'])
@Index('owner_image_idx', ['owner'])
@Index('created_at_image_idx', ['createdAt'])
@Index('updated_at_image_idx', ['updatedAt'])
@Index('os_hidden_image_idx', ['osHidden'])
@Index('os_hash_value_image_idx', ['osHashValue'])
export class ImageRow extends SoftDeleted {
  @PrimaryColumn('varchar', { length: 36 }) id!: string;
  @Varchar(255, { nullable: true }) name!: string | null;
  @Column('bigint', { nullable: true }) size!: number | null;
  @Column('bigint', { nullable: true }) virtualSize!: number | null;
  @Varchar(30) status!: string;
  @Column('simple-enum', { enum: ['private', 'public', 'shared', 'community'], default: 'shared' }) visibility!: string;
  @Varchar(20, { nullable: true }) diskFormat!: string | null;
  @Varchar(20, { nullable: true }) containerFormat!: string | null;
  @Varchar(32, { nullable: true }) checksum!: string | null;
  @Varchar(64, { nullable: true }) osHashAlgo!: string | null;
  @Varchar(128, { nullable: true }) osHashValue!: string | null;
  @Varchar(255, { nullable: true }) owner!: string | null;
  @Column('int') minDisk!: number;
  @Column('int') minRam!: number;
  @Flag({ default: false }) protected!: number;
  @Flag({ default: false }) osHidden!: number;
}

@Entity('image_properties')
@Unique('ix_image_properties_image_id_name', ['imageId', 'name'])
@Index('ix_image_properties_image_id', ['imageId'])
@Index('ix_image_properties_deleted', ['deleted'])
export class ImagePropertyRow extends SoftDeleted {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => ImageRow, { name: 'image_properties_ibfk_1' }) @Varchar(36) imageId!: string;
  @Varchar(255) name!: string;
  @Text({ nullable: true }) value!: string | null;
}

@Entity('image_tags')
@Index('ix_image_tags_image_id', ['imageId'])
@Index('ix_image_tags_image_id_tag_value', ['imageId', 'value'])
export class ImageTagRow extends SoftDeleted {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => ImageRow, { name: 'image_tags_ibfk_1' }) @Varchar(36) imageId!: string;
  @Varchar(255) value!: string;
}

@Entity('image_locations')
@Index('ix_image_locations_image_id', ['imageId'])
@Index('ix_image_locations_deleted', ['deleted'])
export class ImageLocationRow extends SoftDeleted {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => ImageRow, { name: 'image_locations_ibfk_1' }) @Varchar(36) imageId!: string;
  @Text() value!: string;
  @Text({ nullable: true }) metaData!: string | null;
  @Varchar(30, { default: 'active' }) status!: string;
}

@Entity('image_members')
@Unique('image_members_image_id_member_deleted_at_key', ['imageId', 'member', 'deletedAt'])
@Index('ix_image_members_deleted', ['deleted'])
@Index('ix_image_members_image_id', ['imageId'])
@Index('ix_image_members_image_id_member', ['imageId', 'member'])
export class ImageMemberRow extends SoftDeleted {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => ImageRow, { name: 'image_members_ibfk_1' }) @Varchar(36) imageId!: string;
  @Varchar(255) member!: string;
  @Flag() canShare!: number;
  @Varchar(20, { default: 'pending' }) status!: string;
}
