import { CreateDelayedDeletions1732300000040 } from './migrations/create-delayed-deletions.js';
import { CreateGlanceSchema1732300000000 } from './migrations/create-glance-schema.js';
import { CreateImageLeases1732300000001 } from './migrations/create-image-leases.js';
import { CreateImports1732300000010 } from './migrations/create-imports.js';
import { CreateListIndexes1732300000020 } from './migrations/create-list-indexes.js';
import { CreateNotificationOutbox1732300000002 } from './migrations/create-notification-outbox.js';
import { CreateQuotas1732300000030 } from './migrations/create-quotas.js';
import { CreateScrubberRuns1732300000050 } from './migrations/create-scrubber-runs.js';
import { SeparateLiveImages1732300000060 } from './migrations/separate-live-images.js';

/** Oldest first. */
export const migrations = [
  CreateGlanceSchema1732300000000,
  CreateImageLeases1732300000001,
  CreateNotificationOutbox1732300000002,
  CreateImports1732300000010,
  CreateListIndexes1732300000020,
  CreateQuotas1732300000030,
  CreateDelayedDeletions1732300000040,
  CreateScrubberRuns1732300000050,
  SeparateLiveImages1732300000060,
];

/** Where is recorded which of them this database has seen; Glance's own record is `alembic_version`. */
export const migrationsTable = 'registry_migrations';
