import type { Image, ImageLocation, ImageStatus, Visibility } from '@glance/domain';
import { type Dialect, wireTime } from '../database/dialect.js';
import type { LocationCipher } from '../database/location-cipher.js';
import { toLocation } from './location-rows.js';

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
 * property nor a statement per table is needed. All are objects: for an array MariaDB makes a temporary table, on disk if
 * values are long, which costs more than all the rest. `+ 0` keeps SQLite from preferring the index on `deleted`.
 */
export function selectList(dialect: Dialect): string {
  const children = (table: string, key: string, value: string): string =>
    `(SELECT ${dialect.objectOf(key, value)} FROM ${table} c WHERE c.image_id = i.id AND c.deleted + 0 = 0`;
  const location = "JSON_OBJECT('url', c.value, 'metadata', c.meta_data)";
  return [
    ...columns.split(', ').map((column) => `i.${column}`),
    `${children('image_properties', 'c.name', 'c.value')}) AS properties`,
    `${children('image_tags', 'c.value', '1')}) AS tags`,
    `${children('image_locations', 'c.id', location)} AND c.status = 'active') AS locations`,
  ].join(', ');
}

export function toImage(row: ImageRecord, cipher: LocationCipher): Image {
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
    locations: toLocations(row.locations, cipher),
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at ?? row.created_at),
  };
}

/** An object's keys are unique, which Glance's schema does not ask of tags. */
function toTags(json: string | null): string[] {
  return json === null ? [] : Object.keys(JSON.parse(json) as object).sort();
}

interface LocationRecord {
  readonly url: string;
  /** JSON. */
  readonly metadata: string | null;
}

/** In the order in which they were added: numbers as keys come in ascending order. */
function toLocations(json: string | null, cipher: LocationCipher): ImageLocation[] {
  if (json === null) return [];
  const records = Object.values(JSON.parse(json) as Readonly<Record<string, LocationRecord>>);
  return records.map(({ url, metadata }) => toLocation({ value: url, meta_data: metadata }, cipher));
}
