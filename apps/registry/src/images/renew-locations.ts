import type { LocationRenewal } from '@glance/domain';
import type { Statements } from '../database/session.js';
import { lockImage } from './find-image.js';
import { activeLocations } from './location-rows.js';

/**
 * Writes locations anew that were written before stores had names, or with credentials; whether they have changed
 * since they were read decides. The image does not count as changed: nobody did anything to it.
 */
export async function renewLocations(tx: Statements, id: string, renewals: readonly LocationRenewal[]): Promise<void> {
  await lockImage(tx, id);
  const rows = await activeLocations(tx, id);
  for (const { was, location } of renewals) {
    const row = rows.find(
      ({ location: { url, metadata } }) => url === was.url && metadata['store'] === was.metadata['store'],
    );
    if (!row) continue;
    const metadata = { ...row.location.metadata, ...location.metadata };
    const sql = 'UPDATE image_locations SET value = ?, meta_data = ? WHERE id = ?';
    await tx.run(sql, [tx.cipher.seal(location.url), JSON.stringify(metadata), row.id]);
  }
}
