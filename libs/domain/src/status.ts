/** Where an image is in its life. Glance: these words stand in the database and in every client. */
export const imageStatuses = [
  'queued',
  'saving',
  'uploading',
  'importing',
  'active',
  'deactivated',
  'killed',
  'pending_delete',
  'deleted',
] as const;

export type ImageStatus = (typeof imageStatuses)[number];

const moves: Readonly<Record<ImageStatus, readonly ImageStatus[]>> = {
  queued: ['saving', 'uploading', 'importing', 'active', 'pending_delete', 'deleted'],
  saving: ['active', 'queued', 'killed', 'pending_delete', 'deleted'],
  uploading: ['importing', 'queued', 'pending_delete', 'deleted'],
  importing: ['active', 'queued', 'pending_delete', 'deleted'],
  active: ['deactivated', 'pending_delete', 'deleted'],
  deactivated: ['active', 'pending_delete', 'deleted'],
  killed: ['pending_delete', 'deleted'],
  pending_delete: ['deleted', 'active', 'deactivated', 'killed'],
  deleted: [],
};

/**
 * Whether an image may go from one status to another. Beyond Glance's table every live status may become
 * `pending_delete`: a deletion is recorded before its data is erased, so that a crash in between is finished later.
 */
export function canMove(from: ImageStatus, to: ImageStatus): boolean {
  return moves[from].includes(to);
}

/** All statuses from which an image may become `to`. */
export function statusesBefore(to: ImageStatus): ImageStatus[] {
  return imageStatuses.filter((from) => canMove(from, to));
}
