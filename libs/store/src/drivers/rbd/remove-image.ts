import { type Image, isRadosError, type Pool } from '@glance/node-rados';
import { ServiceError } from '@glance/domain';
import { snapshotName } from './rbd-location.js';

/** Runs a step of which these refusals mean that it was done before. */
async function tolerating(codes: readonly string[], step: Promise<unknown>): Promise<void> {
  await step.catch((error: unknown) => {
    if (!isRadosError(error, ...codes)) throw error;
  });
}

/**
 * Opens an image that is to be removed. ENOENT when there is none; nothing where a removal that was broken off has left no
 * more than the name, which is gone then.
 */
async function openOrTidy(pool: Pool, name: string): Promise<Image | undefined> {
  try {
    return await pool.open({ name });
  } catch (error) {
    if (!isRadosError(error, 'ENOENT')) throw error;
    await pool.remove(name);
    return undefined;
  }
}

/** Fails with `DataInUse` if anybody but `client` has the image open for writing. */
async function checkWatchers(image: Image, client: number): Promise<void> {
  const others = (await image.watchers()).filter((watcher) => watcher.client !== client);
  if (others.length > 0) throw inUse('A client of Ceph has the image open.');
}

/**
 * Removes an image and its snapshot. `DataInUse`, with all as it was, while somebody has the image open or clones of
 * format 1 need the snapshot. One that still has snapshots then, for clones of format 2 or because others made some, goes
 * to the trash of the pool: for whoever asked, it is gone.
 */
export async function removeImage(
  pool: Pool,
  name: string,
  { snapshot, client }: { snapshot: string | undefined; client: number },
): Promise<void> {
  const image = await openOrTidy(pool, name);
  if (!image) return;
  try {
    await checkWatchers(image, client);
    if (snapshot !== undefined) await removeSnapshot(image, snapshot);
  } finally {
    await image.close();
  }
  try {
    await pool.remove(name);
  } catch (error) {
    if (isRadosError(error, 'ENOTEMPTY')) return moveToTrash(pool, name);
    if (!isRadosError(error, 'EBUSY')) throw error;
    // Somebody has opened it since: without the snapshot nobody could read it.
    if (snapshot !== undefined) await makeSnapshot(pool, name, snapshot);
    throw inUse('A client of Ceph has the image open.', error);
  }
}

/**
 * Removes what a write has left that is over, complete or not: never what has clones or snapshots of others, and nothing
 * while somebody still writes it. ENOENT when there is nothing.
 */
export async function removeLeftovers(pool: Pool, name: string, client: number): Promise<void> {
  const image = await openOrTidy(pool, name);
  if (!image) return;
  try {
    await checkWatchers(image, client);
    const snapshots = await image.snapshots();
    if (snapshots.some((snapshot) => snapshot.name !== snapshotName)) throw inUse('The image has other snapshots.');
    if (snapshots.length > 0 && (await hasChildren(image))) throw inUse('The image has clones.');
    await removeSnapshot(image, snapshotName);
  } finally {
    await image.close();
  }
  await pool.remove(name).catch((error: unknown) => {
    throw isRadosError(error, 'EBUSY') ? inUse('A client of Ceph has the image open.', error) : error;
  });
}

/** Unprotected if need be. `DataInUse` if clones of format 1 need it; no error if it is not there. */
export async function removeSnapshot(image: Image, snapshot: string): Promise<void> {
  try {
    await tolerating(['EINVAL', 'ENOENT'], image.unprotectSnapshot(snapshot));
    await tolerating(['ENOENT'], image.removeSnapshot(snapshot));
  } catch (error) {
    throw isRadosError(error, 'EBUSY') ? inUse('The image has clones.', error) : error;
  }
}

async function hasChildren(image: Image): Promise<boolean> {
  try {
    return (await image.children()).length > 0;
  } catch (error) {
    // There is one, in a pool that this user may not read.
    if (isRadosError(error, 'EPERM')) return true;
    throw error;
  }
}

/** Metadata of an image that this service has moved to the trash: it is ours to remove. */
const deletedMark = 'glance_deleted';

async function moveToTrash(pool: Pool, name: string): Promise<void> {
  const mark = async (change: (image: Image) => Promise<void>): Promise<void> => {
    const image = await pool.open({ name });
    await change(image).finally(() => image.close());
  };
  await mark((image) => image.setMetadata(deletedMark, new Date().toISOString()));
  try {
    await pool.moveToTrash(name);
  } catch (error) {
    // It stays; if others move it to the trash some day, it is not ours to remove.
    await mark((image) => image.removeMetadata(deletedMark)).catch(() => undefined);
    throw isRadosError(error, 'EBUSY') ? inUse('A client of Ceph has the image open.', error) : error;
  }
}

/** Gone, needed after all, open somewhere, or not yet to be removed. */
function unlessKept(error: unknown): undefined {
  if (!isRadosError(error, 'ENOENT', 'ENOTEMPTY', 'EBUSY', 'EPERM')) throw error;
}

/**
 * The bytes of what `removeImage` has put into the trash, once it has no snapshots any more: Ceph removes that which
 * clones of format 2 have kept with the last of them. Undefined if it is still needed, or not ours.
 */
export async function unneeded(pool: Pool, id: string): Promise<number | undefined> {
  const image = await pool.open({ id, readOnly: true }).catch(unlessKept);
  if (!image) return undefined;
  try {
    const marked = (await image.metadata()).has(deletedMark);
    return marked && (await image.snapshots()).length === 0 ? image.size : undefined;
  } finally {
    await image.close();
  }
}

/** Removes from the trash what is `unneeded`; whether it was there. */
export async function reclaim(pool: Pool, id: string): Promise<boolean> {
  if ((await unneeded(pool, id)) === undefined) return false;
  return (await pool.removeFromTrash(id).then(() => true, unlessKept)) ?? false;
}

async function makeSnapshot(pool: Pool, name: string, snapshot: string): Promise<void> {
  const image = await pool.open({ name });
  try {
    await image.createSnapshot(snapshot);
    await image.protectSnapshot(snapshot);
  } finally {
    await image.close();
  }
}

function inUse(message: string, cause?: unknown): ServiceError {
  return new ServiceError('DataInUse', message, {}, { cause });
}
