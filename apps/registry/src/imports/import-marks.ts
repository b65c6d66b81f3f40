import type { Image } from '@glance/domain';
import type { Statements } from '../database/session.js';
import { findImage } from '../images/find-image.js';
import { saveImage } from '../images/image-writes.js';
import type { ImportWork, TargetState } from './import-rows.js';

/** Glance: what images show of an import that is under way, in these properties. */
export const importLock = 'os_glance_import_task';
export const stageHost = 'os_glance_stage_host';
const importing = 'os_glance_importing_to_stores';
const failed = 'os_glance_failed_import';

type Properties = Image['properties'];

export function without(properties: Properties, ...names: readonly string[]): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}

/**
 * The properties of an image that is imported into these stores. Glance: a store without a name is not listed, and data
 * that lies somewhere already goes to none.
 */
export function withProgress(
  properties: Properties,
  targets: readonly TargetState[],
  { method, named }: Pick<ImportWork, 'method' | 'named'>,
): Properties {
  if (method === 'add-location') return properties;
  const list = (state: TargetState['state']): string =>
    (named ? targets.filter((target) => target.state === state).map(({ store }) => store) : []).join(',');
  return { ...properties, [importing]: list('waiting'), [failed]: list('failed') };
}

/** The properties of an image whose import is over. */
export function unlocked(properties: Properties): Properties {
  const free = without(properties, importLock, stageHost);
  return importing in free ? { ...free, [importing]: '' } : free;
}

/** `saveImage`, but the lock goes without a trace. Glance: its row is deleted, not marked. */
export async function saveMarked(tx: Statements, before: Image, after: Image, now: Date): Promise<Image> {
  let known = before;
  if (importLock in before.properties && !(importLock in after.properties)) {
    await tx.run('DELETE FROM image_properties WHERE image_id = ? AND name = ?', [before.id, importLock]);
    known = { ...before, properties: without(before.properties, importLock) };
  }
  await saveImage(tx, known, after, now);
  return (await findImage(tx, before.id))!;
}
