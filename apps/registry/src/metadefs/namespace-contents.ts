import { type Association, type Namespace, type NamespaceContents, ServiceError } from '@glance/domain';
import { definitionsIn, pageOfTags } from './definition-rows.js';
import { associationsOf, type Source, type StoredNamespace } from './namespace-rows.js';

export function withAssociations(
  { id: _, ...namespace }: StoredNamespace,
  associations: readonly Association[],
): Namespace {
  return { ...namespace, associations };
}

/** Five queries, however much is in it. */
export async function contentsOf(from: Source, namespace: StoredNamespace): Promise<NamespaceContents> {
  const { id } = namespace;
  const newestFirst = { sortKey: 'createdAt', direction: 'desc' } as const;
  return {
    ...withAssociations(namespace, (await associationsOf(from, [id])).get(id)!),
    properties: await definitionsIn(from, id, 'property'),
    objects: await definitionsIn(from, id, 'object'),
    tags: await pageOfTags(from, namespace, newestFirst),
  };
}

export async function findAssociation(
  from: Source,
  { id, name }: StoredNamespace,
  resourceType: string,
): Promise<Association> {
  const all = (await associationsOf(from, [id])).get(id)!;
  const found = all.find((association) => association.name === resourceType);
  if (found) return found;
  throw new ServiceError('NotFound', `The namespace "${name}" is not associated with "${resourceType}".`);
}
