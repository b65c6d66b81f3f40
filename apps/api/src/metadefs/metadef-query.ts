import { type NamespaceQuery, namespaceVisibilities, ServiceError, type TagQuery } from '@glance/domain';

const namespaceKeys = {
  namespace: 'name',
  display_name: 'displayName',
  visibility: 'visibility',
  protected: 'protected',
  owner: 'owner',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
  // Ids are given out in this order.
  id: 'createdAt',
} as const;
const tagKeys = { name: 'name', created_at: 'createdAt', updated_at: 'updatedAt', id: 'createdAt' } as const;

/** The page of namespaces that a query string asks for. Glance: what is no filter is overlooked. */
export function namespaceQuery(
  parameters: URLSearchParams,
  limits: { readonly default: number; readonly max: number },
): NamespaceQuery {
  const visibility = last(parameters, 'visibility');
  const types = last(parameters, 'resource_types');
  return {
    ...paging(parameters, namespaceKeys),
    limit: Math.min(pageSize(parameters) ?? limits.default, limits.max),
    ...(visibility !== undefined && { visibility: oneOf('visibility', visibility, namespaceVisibilities) }),
    ...(types !== undefined && { resourceTypes: types.split(',') }),
  };
}

/** The page of tags that a query string asks for. */
export function tagQuery(parameters: URLSearchParams): TagQuery {
  const limit = pageSize(parameters);
  return { ...paging(parameters, tagKeys), ...(limit !== undefined && { limit }) };
}

/** Glance: whole lists answer with everything, and look at the limit all the same. */
export function checkUnusedLimit(parameters: URLSearchParams): void {
  if (pageSize(parameters) === 0) throw new ServiceError('Invalid', 'limit must be 1 or more.');
}

function paging<K extends string, V extends string>(parameters: URLSearchParams, keys: Readonly<Record<K, V>>) {
  const key = oneOf('sort_key', last(parameters, 'sort_key') ?? 'created_at', Object.keys(keys) as K[]);
  const marker = last(parameters, 'marker');
  return {
    sortKey: keys[key],
    direction: oneOf('sort_dir', last(parameters, 'sort_dir') ?? 'desc', ['asc', 'desc'] as const),
    ...(marker !== undefined && { marker }),
  };
}

const last = (parameters: URLSearchParams, name: string): string | undefined => parameters.getAll(name).at(-1);

function pageSize(parameters: URLSearchParams): number | undefined {
  const value = last(parameters, 'limit');
  if (value === undefined) return undefined;
  const size = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(size)) return size;
  throw new ServiceError('Invalid', `limit must be a whole number from 0 on, not "${value}".`);
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new ServiceError('Invalid', `${name} must be one of ${choices.join(', ')}, not "${value}".`);
}
