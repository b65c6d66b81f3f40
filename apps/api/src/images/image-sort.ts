import { ServiceError, type Sort, type SortKey } from '@glance/domain';

const keys: Readonly<Record<string, SortKey>> = {
  name: 'name',
  status: 'status',
  container_format: 'containerFormat',
  disk_format: 'diskFormat',
  size: 'size',
  id: 'id',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};

/** The order that `sort=name:asc,size`, or `sort_key` with `sort_dir`, asks for; newest first without either. */
export function imageSort(parameters: URLSearchParams): Sort[] {
  const sort = parameters.get('sort');
  const sortKeys = parameters.getAll('sort_key');
  const directions = parameters.getAll('sort_dir');
  if (sort === null) return paired(sortKeys, directions);
  if (sortKeys.length > 0 || directions.length > 0) {
    throw new ServiceError('Invalid', 'Use either sort, or sort_key with sort_dir.');
  }
  return sort.split(',').map((part) => {
    const [key = '', direction = 'desc', ...more] = part.trim().split(':');
    if (more.length > 0) throw new ServiceError('Invalid', `"${part}" is not a sort key with a direction.`);
    return { key: keyOf(key), direction: directionOf(direction) };
  });
}

function paired(sortKeys: readonly string[], directions: readonly string[]): Sort[] {
  const wanted = sortKeys.length > 0 ? sortKeys : ['created_at'];
  if (directions.length > 1 && directions.length !== wanted.length) {
    throw new ServiceError('Invalid', 'Give one sort_dir for all sort_keys, or as many as sort_keys.');
  }
  return wanted.map((key, index) => ({
    key: keyOf(key),
    direction: directionOf(directions[index] ?? directions[0] ?? 'desc'),
  }));
}

function keyOf(name: string): SortKey {
  if (Object.hasOwn(keys, name)) return keys[name]!;
  throw new ServiceError('Invalid', `Images cannot be sorted by "${name}", only by ${Object.keys(keys).join(', ')}.`);
}

function directionOf(text: string): 'asc' | 'desc' {
  if (text === 'asc' || text === 'desc') return text;
  throw new ServiceError('Invalid', `"${text}" is not a sort direction: it must be asc or desc.`);
}
