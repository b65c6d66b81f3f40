import { Column, Entity, ForeignKey, Index, PrimaryColumn, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { Flag, Text, Timed, Varchar } from './columns.js';

@Entity('metadef_namespaces')
@Unique('uq_metadef_namespaces_namespace', ['namespace'])
@Index('ix_metadef_namespaces_owner', ['owner'])
export class MetadefNamespaceRow extends Timed {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @Varchar(80) namespace!: string;
  @Varchar(80, { nullable: true }) displayName!: string | null;
  @Text({ nullable: true }) description!: string | null;
  @Varchar(32, { nullable: true }) visibility!: string | null;
  @Flag({ nullable: true }) protected!: number | null;
  @Varchar(255) owner!: string;
}

@Entity('metadef_resource_types')
@Unique('uq_metadef_resource_types_name', ['name'])
export class MetadefResourceTypeRow extends Timed {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @Varchar(80) name!: string;
  @Flag() protected!: number;
}

@Entity('metadef_namespace_resource_types')
@Index('ix_metadef_ns_res_types_namespace_id', ['namespaceId'])
export class MetadefNamespaceResourceTypeRow extends Timed {
  @ForeignKey(() => MetadefResourceTypeRow, { name: 'metadef_namespace_resource_types_ibfk_2' })
  @PrimaryColumn('int')
  resourceTypeId!: number;

  @ForeignKey(() => MetadefNamespaceRow, { name: 'metadef_namespace_resource_types_ibfk_1' })
  @PrimaryColumn('int')
  namespaceId!: number;

  @Varchar(80, { nullable: true }) propertiesTarget!: string | null;
  @Varchar(80, { nullable: true }) prefix!: string | null;
}

@Entity('metadef_objects')
@Unique('uq_metadef_objects_namespace_id_name', ['namespaceId', 'name'])
@Index('ix_metadef_objects_name', ['name'])
export class MetadefObjectRow extends Timed {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => MetadefNamespaceRow, { name: 'metadef_objects_ibfk_1' }) @Column('int') namespaceId!: number;
  @Varchar(80) name!: string;
  @Text({ nullable: true }) description!: string | null;
  /** Names, separated by commas. */
  @Text({ nullable: true }) required!: string | null;
  @Text() jsonSchema!: string;
}

@Entity('metadef_properties')
@Unique('uq_metadef_properties_namespace_id_name', ['namespaceId', 'name'])
@Index('ix_metadef_properties_name', ['name'])
export class MetadefPropertyRow extends Timed {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => MetadefNamespaceRow, { name: 'metadef_properties_ibfk_1' }) @Column('int') namespaceId!: number;
  @Varchar(80) name!: string;
  @Text() jsonSchema!: string;
}

@Entity('metadef_tags')
@Unique('uq_metadef_tags_namespace_id_name', ['namespaceId', 'name'])
@Index('ix_metadef_tags_name', ['name'])
export class MetadefTagRow extends Timed {
  @PrimaryGeneratedColumn({ type: 'int' }) id!: number;
  @ForeignKey(() => MetadefNamespaceRow, { name: 'metadef_tags_ibfk_1' }) @Column('int') namespaceId!: number;
  @Varchar(80) name!: string;
}
