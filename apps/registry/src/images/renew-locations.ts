import type { LocationRenewal } from '@glance/domain';
import type { Statements } from '../database/session.js';
import { lockImage } from './find-image.js';
import { toLocation } from './image-rows.js';

interface LocationRow {
  readonly id: number;
  readonly value: string;
  readonly meta_data: string | null;
}

/**
 * Writes locations anew that were written before stores had names, or with credentials; whether they have changed
 * since they were read decides. The image does not count as changed: nobody did anything to it.
 */
export async function renewLocations(tx: Statements, id: string, renewals: readonly LocationRenewal[]): Promise<void> {
  await lockImage(tx, id);
  const rows = await tx.rows<LocationRow>(
    "SELECT id, value, meta_data FROM image_locations WHERE image_id = ? AND deleted = 0 AND status = 'active'",
    [id],
  );
  for (const { was, location } of renewals) {
    const row = rows.find(
      ({ value, meta_data }) =>
        value === was.url && toLocation(value, meta_data).metadata['store'] === was.metadata['store'],
    );
    if (!row) continue;
    const metadata = { ...toLocation(row.value, row.meta_data).metadata, ...location.metadata };
    const sql = 'UPDATE image_locations SET value = ?, meta_data = ? WHERE id = ?';
    await tx.run(sql, [location.url, JSON.stringify(metadata), row.id]);
  }
}
