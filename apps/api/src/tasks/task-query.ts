import { type TaskQuery, taskStatuses } from '@glance/domain';
import { member, pageSize } from '../images/image-query.js';

const sortKeys = {
  id: 'id',
  type: 'type',
  status: 'status',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
  expires_at: 'expiresAt',
} as const;

/** The page of tasks that a query string asks for. Glance: the only type to filter by is import. */
export function taskQuery(
  parameters: URLSearchParams,
  limits: { readonly default: number; readonly max: number },
): TaskQuery {
  const last = (name: string): string | undefined => parameters.getAll(name).at(-1);
  const [status, type, marker] = ['status', 'type', 'marker'].map(last);
  const key = member('sort_key', last('sort_key') ?? 'created_at', Object.keys(sortKeys) as (keyof typeof sortKeys)[]);
  return {
    sortKey: sortKeys[key],
    direction: member('sort_dir', last('sort_dir') ?? 'desc', ['asc', 'desc']),
    limit: pageSize(last('limit'), limits),
    ...(status !== undefined && { status: member('status', status, taskStatuses) }),
    ...(type !== undefined && { type: member('type', type, ['import']) }),
    ...(marker !== undefined && { marker }),
  };
}
