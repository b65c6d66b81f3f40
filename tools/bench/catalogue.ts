import { createHash } from 'node:crypto';

/** The id of the image of this number, from 1. */
export function imageIdOf(number: number): string {
  const hex = createHash('md5').update(String(number)).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The same in SQL, of `seq`. */
export const imageIdSql = "INSERT(INSERT(INSERT(INSERT(MD5(seq), 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-')";

/**
 * SQL that fills Glance's tables with `active` images in `database`, each with six properties, two tags and a location, and
 * later ones that are `deleted`, and not purged yet; every tenth is public, every twentieth of the community, the rest
 * private or shared, of `projects` projects.
 */
export function catalogue(
  database: string,
  {
    active: count,
    deleted,
    projects,
  }: { readonly active: number; readonly deleted: number; readonly projects: number },
): string {
  const time = "TIMESTAMPADD(SECOND, seq, '2020-01-01')";
  const common = `${time}, ${time}, 0`;
  const from = `FROM seq_1_to_${count}`;
  const images = (status: string, flag: number): string =>
    `SELECT ${imageIdSql}, CONCAT('image-', LPAD(seq, 7, '0')), seq * 4096, '${status}', ${visibility}, 'qcow2', 'bare', MD5(seq), 'sha512', SHA2(seq, 512), CONCAT('project-', seq % ${projects}), 0, 0, 0, 0, ${time}, ${time}, ${flag}`;
  const visibility =
    "CASE WHEN seq % 10 = 0 THEN 'public' WHEN seq % 20 = 1 THEN 'community' WHEN seq % 2 = 0 THEN 'private' ELSE 'shared' END";
  const properties: Readonly<Record<string, string>> = {
    architecture: "'x86_64'",
    hw_disk_bus: "ELT(1 + seq % 2, 'scsi', 'virtio')",
    os_distro: "CONCAT('distro-', CRC32(seq) % 20)",
    os_version: "CONCAT(seq % 200, '.', seq % 7)",
    base_image_ref: `MD5(seq % 1000)`,
    instance_uuid: imageIdSql,
  };
  const tags = ["'bench'", "CONCAT('group-', seq % 1000)"];
  return [
    `USE ${database}`,
    `INSERT INTO images (id, name, size, status, visibility, disk_format, container_format, checksum, os_hash_algo, os_hash_value, owner, min_disk, min_ram, protected, os_hidden, created_at, updated_at, deleted)
     ${images('active', 0)} ${from} UNION ALL ${images('deleted', 1)} FROM seq_${count + 1}_to_${count + deleted}`,
    ...Object.entries(properties).map(
      ([name, value]) =>
        `INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted) SELECT ${imageIdSql}, '${name}', ${value}, ${common} ${from}`,
    ),
    ...tags.map(
      (value) =>
        `INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) SELECT ${imageIdSql}, ${value}, ${common} ${from}`,
    ),
    `INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted) SELECT ${imageIdSql}, CONCAT('file:///nowhere/', seq), '{}', 'active', ${common} ${from}`,
    'ANALYZE TABLE images, image_properties, image_tags, image_locations, image_members',
  ].join(';\n');
}
