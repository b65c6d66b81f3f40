import { CachedImageRow, NodeReferenceRow } from './entities/cached-images.js';
import { DelayedDeletionRow } from './entities/delayed-deletions.js';
import { ImageLeaseRow } from './entities/image-leases.js';
import { ImageLocationRow, ImageMemberRow, ImagePropertyRow, ImageRow, ImageTagRow } from './entities/images.js';
import { ImportHostRow, ImportTaskRow, StagedDataRow } from './entities/imports.js';
import * as metadefs from './entities/metadefs.js';
import { NotificationOutboxRow, NotificationRelayRow } from './entities/notifications.js';
import { QuotaProjectRow } from './entities/quotas.js';
import { ScrubberRunRow } from './entities/scrubber-runs.js';
import { TaskInfoRow, TaskRow } from './entities/tasks.js';

/** The tables of Glance, in the order in which they refer to each other. */
export const glanceEntities = [
  ImageRow,
  ImagePropertyRow,
  ImageTagRow,
  ImageLocationRow,
  ImageMemberRow,
  TaskRow,
  TaskInfoRow,
  metadefs.MetadefNamespaceRow,
  metadefs.MetadefResourceTypeRow,
  metadefs.MetadefNamespaceResourceTypeRow,
  metadefs.MetadefObjectRow,
  metadefs.MetadefPropertyRow,
  metadefs.MetadefTagRow,
  NodeReferenceRow,
  CachedImageRow,
];

/** The tables that Glance does not have. */
const ownEntities = [
  ImageLeaseRow,
  NotificationOutboxRow,
  NotificationRelayRow,
  ImportTaskRow,
  StagedDataRow,
  ImportHostRow,
  QuotaProjectRow,
  DelayedDeletionRow,
  ScrubberRunRow,
];

export const entities = [...glanceEntities, ...ownEntities];
