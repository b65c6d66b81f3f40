import type { Image, ImageLocation, ImageStatus, Visibility } from '@glance/domain';
import { type Dialect, wireTime } from '../database/dialect.js';

/** A row of `selectList`. */
export interface ImageRecord {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  readonly status: ImageStatus;
  readonly visibility: Visibility;
  readonly disk_format: string | null;
  readonly container_format: string | null;
  readonly size: number | null;
  readonly virtual_size: number | null;
  readonly checksum: string | null;
  readonly os_hash_algo: string | null;
  readonly os_hash_value: string | null;
  readonly min_disk: number;
  readonly min_ram: number;
  readonly protected: number;
  readonly os_hidden: number;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly properties: string | null;
  readonly tags: string | null;
  readonly locations: string | null;
}

const columns =
  'id, name, owner, status, visibility, disk_format, container_format, size, virtual_size, checksum, os_hash_algo, ' +
  'os_hash_value, min_disk, min_ram, protected, os_hidden, created_at, updated_at';

/**
 * The one select list of images, for `FROM … i`: child rows come as one JSON value each, so that neither a row per
 * property nor a statement per table is needed. `+ 0` keeps SQLite from preferring the index on `deleted`.
 */
export function selectList(dialect: Dialect): string {
  const children = (table: string, aggregate: string): string =>
    `(SELECT ${aggregate} FROM ${table} c WHERE c.image_id = i.id AND c.deleted + 0 = 0`;
  const location = "JSON_OBJECT('id', c.id, 'url', c.value, 'metadata', c.meta_data)";
  return [
    ...columns.split(', ').map((column) => `i.${column}`),
    `${children('image_properties', dialect.objectOf('c.name', 'c.value'))}) AS properties`,
    `${children('image_tags', dialect.arrayOf('c.value'))}) AS tags`,
    `${children('image_locations', dialect.arrayOf(location))} AND c.status = 'active') AS locations`,
  ].join(', ');
}

export function toImage(row: ImageRecord): Image {
  return {
    id: row.id,
    name: row.name,
    owner: row.owner,
    status: row.status,
    visibility: row.visibility,
    diskFormat: row.disk_format,
    containerFormat: row.container_format,
    size: row.size,
    virtualSize: row.virtual_size,
    checksum: row.checksum,
    osHashAlgo: row.os_hash_algo,
    osHashValue: row.os_hash_value,
    minDisk: row.min_disk,
    minRam: row.min_ram,
    protected: row.protected !== 0,
    osHidden: row.os_hidden !== 0,
    properties: row.properties === null ? {} : (JSON.parse(row.properties) as Record<string, string | null>),
    tags: toTags(row.tags),
    locations: toLocations(row.locations),
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at ?? row.created_at),
  };
}

/** Glance: nothing in its schema keeps a tag from being there twice. */
function toTags(json: string | null): string[] {
  if (json === null || json === '[]') return [];
  return [...new Set(JSON.parse(json) as string[])].sort();
}

interface LocationRecord {
  readonly id: number;
  readonly url: string;
  /** JSON. */
  readonly metadata: string | null;
}

/** In the order in which they were added; MySQL's aggregate has none. */
function toLocations(json: string | null): ImageLocation[] {
  if (json === null || json === '[]') return [];
  const records = JSON.parse(json) as LocationRecord[];
  return records.sort((a, b) => a.id - b.id).map(({ url, metadata }) => toLocation(url, metadata));
}

export function toLocation(url: string, metadata: string | null): ImageLocation {
  return { url, metadata: (JSON.parse(metadata ?? '{}') as Record<string, string> | null) ?? {} };
}
