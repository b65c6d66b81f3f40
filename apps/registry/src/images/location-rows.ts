import type { ImageLocation } from '@glance/domain';
import type { LocationCipher } from '../database/location-cipher.js';
import type { Source } from './find-image.js';

/** The columns of `image_locations` that make a location. */
export interface LocationColumns {
  readonly value: string;
  /** JSON. */
  readonly meta_data: string | null;
}

export function toLocation({ value, meta_data }: LocationColumns, cipher: LocationCipher): ImageLocation {
  return { url: cipher.open(value), metadata: (JSON.parse(meta_data ?? '{}') as Record<string, string> | null) ?? {} };
}

export interface LocationRow {
  readonly id: number;
  readonly location: ImageLocation;
}

/** What an image has, in the order in which it was added. */
export async function activeLocations(from: Source, imageId: string): Promise<LocationRow[]> {
  const sql =
    "SELECT id, value, meta_data FROM image_locations WHERE image_id = ? AND deleted = 0 AND status = 'active' ORDER BY id";
  const rows = await from.rows<LocationColumns & { id: number }>(sql, [imageId]);
  return rows.map((row) => ({ id: row.id, location: toLocation(row, from.cipher) }));
}

/** Fails with `Invalid`, and says what to do, if what was encrypted last cannot be read with the key that is configured. */
export async function assertReadable(from: Source): Promise<void> {
  const sql = "SELECT value FROM image_locations WHERE deleted = 0 AND value NOT LIKE '%:%' ORDER BY id DESC LIMIT 1";
  for (const { value } of await from.rows<{ value: string }>(sql)) from.cipher.assertOpens(value);
}
