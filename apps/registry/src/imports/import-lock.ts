import { type Image, ServiceError } from '@glance/domain';
import type { Statements } from '../database/session.js';
import { assertNoOrphan } from '../images/leases.js';
import { importLock } from './import-marks.js';

/** Milliseconds. Glance: its tasks are taken for dead when they have shown no sign of life for that long. */
const patience = { processing: 60 * 60_000, pending: 120 * 60_000 } as const;

/**
 * Fails with `Conflict` while an import of this image is under way: one of ours, which ends or is undone by itself, or
 * one of a Glance that uses the same database and shows signs of life.
 */
export async function assertUnlocked(tx: Statements, image: Image, now: number): Promise<void> {
  if ((await tx.rows('SELECT 1 FROM import_tasks WHERE image_id = ?', [image.id])).length > 0) throw busy(image);
  await assertNoOrphan(tx, image.id, now);
  const id = image.properties[importLock];
  if (id === undefined || id === null) return;
  const sql = 'SELECT status, COALESCE(updated_at, created_at) AS seen FROM tasks WHERE id = ?';
  const [task] = await tx.rows<{ status: string; seen: string }>(sql, [id]);
  if (task?.status !== 'processing' && task?.status !== 'pending') return;
  if (task.seen > tx.dialect.time(new Date(now - patience[task.status]))) throw busy(image);
  await tx.run("UPDATE tasks SET status = 'failure' WHERE id = ?", [id]);
  await tx.run('UPDATE task_info SET message = ? WHERE task_id = ?', ['Expired lock preempted', id]);
}

const busy = ({ id }: Image): ServiceError =>
  new ServiceError('Conflict', `Another import of image ${id} is still in progress; wait for it, or delete its task.`);
