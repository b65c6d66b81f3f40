import { declare, flag, integer, text, type ValuesOf } from '@glance/config';

/** Where metadata is kept, and how the registry connects to it. */
export const databaseOptions = declare('database', {
  connection: text({
    secret: true,
    help:
      'Database URL in the form of SQLAlchemy: sqlite:////absolute/path, or ' +
      'mysql+pymysql://user:password@host:port/name. Special characters of user and password are percent-encoded. ' +
      'TLS: ?ssl_ca=…&ssl_cert=…&ssl_key=….',
  }),
  max_pool_size: integer({ default: 5, min: 1, help: 'Connections that are kept open while idle.' }),
  max_overflow: integer({
    default: 50,
    min: -1,
    help: 'Connections beyond max_pool_size under load; -1 sets no limit.',
  }),
  connection_recycle_time: integer({
    default: 3600,
    min: -1,
    help: 'Seconds after which an idle connection is closed; -1 keeps it.',
  }),
  max_retries: integer({
    default: 10,
    min: -1,
    help: 'How often the start tries again when the database does not answer; -1 tries for ever.',
  }),
  retry_interval: integer({ default: 10, min: 0, help: 'Seconds between these tries.' }),
  mysql_sql_mode: text({
    default: 'TRADITIONAL',
    help: 'SQL mode of MySQL sessions; empty leaves that of the server.',
  }),
});

/** What images may be, and what becomes of deleted ones. */
export const registryOptions = declare('DEFAULT', {
  image_property_quota: integer({ default: 128, help: 'Custom properties per image; negative sets no limit.' }),
  image_tag_quota: integer({ default: 128, help: 'Tags per image; negative sets no limit.' }),
  image_location_quota: integer({ default: 10, help: 'Locations per image; negative sets no limit.' }),
  image_member_quota: integer({ default: 128, help: 'Members per image; negative sets no limit.' }),
  image_size_cap: integer({
    default: 1_099_511_627_776,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    help: 'Largest size of an image in bytes.',
  }),
  delayed_delete: flag({ default: false, help: 'Keep the data of deleted images until the scrubber removes it.' }),
  scrub_time: integer({
    default: 0,
    min: 0,
    help: 'Seconds that the data of a deleted image is kept with delayed_delete.',
  }),
  metadata_encryption_key: text({
    secret: true,
    check: (key) =>
      [16, 24, 32].includes(Buffer.byteLength(key)) ? undefined : 'a key of 16, 24 or 32 bytes in UTF-8, for AES',
    help:
      'Key that URLs of locations are encrypted with in the database. What was written before there was one is still ' +
      'read; what was encrypted cannot be read without it.',
  }),
  check_defined_properties: flag({
    default: false,
    ours: true,
    help:
      'Refuse values of image properties that a public metadata definition for OS::Glance::Image does not allow, when ' +
      'they are set.',
  }),
  upload_lease_time: integer({
    default: 60,
    min: 3,
    ours: true,
    help: 'Seconds after which an upload or deletion that shows no sign of life is taken for dead and cleaned up.',
  }),
});

/** How tasks are queued and kept. */
export const taskOptions = declare('task', {
  task_time_to_live: integer({ default: 48, min: 0, help: 'Hours that a task is kept when it is over.' }),
  task_lease_time: integer({
    default: 20,
    min: 2,
    ours: true,
    help: 'Seconds after which an import that shows no sign of life is carried on, or undone, by another process.',
  }),
  tasks_per_project: integer({
    default: 8,
    min: 0,
    ours: true,
    help: 'Imports of one project that run at the same time; the others wait. 0 sets no limit.',
  }),
});

/** Where definitions of metadata come from. */
export const metadefOptions = declare('DEFAULT', {
  metadata_source_path: text({
    help:
      'File or directory that glance-manage db load_metadefs reads and export_metadefs writes; without it, the ' +
      'definitions that come with the service are loaded.',
  }),
});

export type DatabaseSettings = ValuesOf<typeof databaseOptions>;
export type RegistrySettings = ValuesOf<typeof registryOptions> & ValuesOf<typeof taskOptions>;
