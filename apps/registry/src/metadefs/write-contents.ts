import type { NewNamespace } from '@glance/domain';
import type { Statements } from '../database/session.js';
import { insertDefinitions } from './definition-rows.js';
import { insertAssociation, type StoredNamespace } from './namespace-rows.js';

/** Writes all that a new namespace holds. `guarded`: resource types that it makes are Glance's protected ones. */
export async function writeContents(
  tx: Statements,
  namespace: StoredNamespace,
  { associations, properties, objects, tags }: NewNamespace,
  time: string,
  guarded = false,
): Promise<void> {
  for (const association of associations) await insertAssociation(tx, namespace, association, time, guarded);
  await insertDefinitions(tx, namespace.id, 'object', objects, time);
  await insertDefinitions(tx, namespace.id, 'tag', tags, time);
  await insertDefinitions(tx, namespace.id, 'property', properties, time);
}
