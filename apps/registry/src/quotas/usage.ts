import type { Source } from '../images/find-image.js';

/** Bytes of data in stores and in staging areas; numbers of images. */
export interface Amounts {
  readonly storage: number;
  readonly staging: number;
  readonly images: number;
  readonly uploading: number;
}

const ofProject = 'SELECT i.id FROM images i WHERE i.owner = ?';

/** Data counts once for each location, and what is reserved for work under way like data that is there. */
const storage = [
  'SELECT COALESCE(SUM(i.size * (SELECT COUNT(*) FROM image_locations l WHERE l.image_id = i.id AND l.deleted = 0)), 0) ' +
    'FROM images i WHERE i.owner = ? AND i.deleted = 0 AND i.size > 0',
  `SELECT COALESCE(SUM(r.reserved), 0) FROM image_leases r WHERE r.kind = 'upload' AND r.outcome IS NULL AND ` +
    `r.token <> ? AND r.image_id IN (${ofProject})`,
  `SELECT COALESCE(SUM(t.reserved), 0) FROM import_tasks t WHERE t.token <> ? AND t.image_id IN (${ofProject})`,
];
const staging = [
  `SELECT COALESCE(SUM(s.size), 0) FROM staged_data s WHERE s.abandoned = 0 AND s.image_id IN (${ofProject})`,
  `SELECT COALESCE(SUM(r.reserved), 0) FROM image_leases r WHERE r.kind = 'stage' AND r.outcome IS NULL AND ` +
    `r.token <> ? AND r.image_id IN (${ofProject})`,
];
const images = 'SELECT COUNT(*) FROM images i WHERE i.owner = ? AND i.deleted = 0';
const uploading =
  "SELECT COUNT(*) FROM images i WHERE i.owner = ? AND i.deleted = 0 AND (i.status IN ('saving', 'uploading', 'importing') " +
  "OR EXISTS (SELECT 1 FROM image_properties p WHERE p.image_id = i.id AND p.name = 'os_glance_importing_to_stores' AND " +
  "p.deleted = 0 AND p.value <> ''))";

const statement = `SELECT ${storage.map((sql) => `(${sql})`).join(' + ')} AS storage, ${staging
  .map((sql) => `(${sql})`)
  .join(' + ')} AS staging, (${images}) AS images, (${uploading}) AS uploading`;

/** What a project uses, by one statement; without what the work of `token` has reserved. No token is `-`. */
export async function usageOf(from: Source, project: string, token = '-'): Promise<Amounts> {
  const values = [project, token, project, token, project, project, token, project, project, project];
  const [row] = await from.rows<Record<keyof Amounts, number | string>>(statement, values);
  return {
    storage: Number(row?.storage ?? 0),
    staging: Number(row?.staging ?? 0),
    images: Number(row?.images ?? 0),
    uploading: Number(row?.uploading ?? 0),
  };
}
