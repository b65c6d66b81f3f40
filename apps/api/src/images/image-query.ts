import { type ImageFilter, type ImageQuery, memberStatuses, ServiceError, visibilities } from '@glance/domain';
import { imageSort } from './image-sort.js';
import { oneOfFilter, timeFilter } from './filter-value.js';

export interface PageLimits {
  readonly default: number;
  readonly max: number;
}

type Reader = (name: string, value: string) => ImageFilter;

const texts = {
  id: 'id',
  name: 'name',
  status: 'status',
  disk_format: 'diskFormat',
  container_format: 'containerFormat',
} as const;

const exact = {
  owner: 'owner',
  checksum: 'checksum',
  os_hash_algo: 'osHashAlgo',
  os_hash_value: 'osHashValue',
} as const;

const numbers = { size: 'size', min_ram: 'minRam', min_disk: 'minDisk' } as const;
const lowest = { size_min: 'size', min_ram_min: 'minRam', min_disk_min: 'minDisk' } as const;
const highest = { size_max: 'size', min_ram_max: 'minRam', min_disk_max: 'minDisk' } as const;

type NumberFilter = Extract<ImageFilter, { kind: 'number' }>;

const compared =
  (comparison: NumberFilter['comparison']) =>
  (attribute: NumberFilter['attribute']): Reader =>
  (name, value) => ({ kind: 'number', attribute, comparison, value: whole(name, value) });

const readers: Readonly<Record<string, Reader>> = {
  ...each(texts, (attribute) => (name, value) => ({ kind: 'oneOf', attribute, values: oneOfFilter(name, value) })),
  ...each(exact, (attribute) => (_name, value) => ({ kind: 'oneOf', attribute, values: [value] })),
  ...each(numbers, compared('eq')),
  ...each(lowest, compared('gte')),
  ...each(highest, compared('lte')),
  created_at: (name, value) => ({ kind: 'time', attribute: 'createdAt', ...timeFilter(name, value) }),
  updated_at: (name, value) => ({ kind: 'time', attribute: 'updatedAt', ...timeFilter(name, value) }),
  protected: (name, value) => ({ kind: 'protected', value: member(name, value, ['true', 'false']) === 'true' }),
};

const notFilters = new Set([
  'limit',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'tag',
  'visibility',
  'member_status',
  'os_hidden',
]);

/** Glance: never lists what is deleted, whatever a client asks for. */
const ignored = new Set(['deleted']);

const refused = new Map([
  ['changes-since', 'use updated_at=gte:… instead'],
  ['tags', 'use tag=… instead'],
  ['locations', 'images cannot be found by it'],
  ['properties', 'name the property itself'],
]);

/** The list that the query string of a list request asks for. `Invalid` if it is not to be understood. */
export function imageQuery(parameters: URLSearchParams, limits: PageLimits): ImageQuery {
  for (const [name, value] of parameters) refuseUnstorable(name + value);
  const last = (name: string): string | undefined => parameters.getAll(name).at(-1);
  const filters: ImageFilter[] = parameters.getAll('tag').map((value) => ({ kind: 'tag', value }));
  for (const name of new Set(parameters.keys())) {
    const reason = refused.get(name);
    if (reason !== undefined) throw new ServiceError('Invalid', `"${name}" is not a filter: ${reason}.`);
    if (notFilters.has(name) || ignored.has(name)) continue;
    const value = last(name)!;
    const read = Object.hasOwn(readers, name) ? readers[name]! : property;
    filters.push(read(name, value));
  }
  const visibility = last('visibility');
  const memberStatus = last('member_status');
  const hidden = last('os_hidden');
  const marker = last('marker');
  return {
    filters,
    sort: imageSort(parameters),
    limit: pageSize(last('limit'), limits),
    ...(visibility !== undefined && { visibility: member('visibility', visibility, [...visibilities, 'all']) }),
    ...(memberStatus !== undefined && {
      memberStatus: member('member_status', memberStatus, [...memberStatuses, 'all']),
    }),
    ...(hidden !== undefined && { osHidden: member('os_hidden', hidden.toLowerCase(), ['true', 'false']) === 'true' }),
    ...(marker !== undefined && { marker }),
  };
}

/** The links of a page: to the first one, and, if `last` is the last of a full page, to the next. */
export function pageLinks(
  parameters: URLSearchParams,
  last: string | undefined,
  path = '/v2/images',
): { first: string; next?: string } {
  const rest = new URLSearchParams([...parameters].filter(([name]) => name !== 'marker'));
  const first = rest.size > 0 ? `${path}?${rest.toString()}` : path;
  if (last === undefined) return { first };
  rest.append('marker', last);
  return { first, next: `${path}?${rest.toString()}` };
}

function property(name: string, value: string): ImageFilter {
  return { kind: 'property', name, value };
}

/** How many a page is to have. */
export function pageSize(value: string | undefined, limits: PageLimits): number {
  if (value === undefined) return Math.min(limits.default, limits.max);
  if (!/^\d+$/.test(value))
    throw new ServiceError('Invalid', `limit must be a whole number from 0 on, not "${value}".`);
  return Math.min(Number(value), limits.max);
}

function whole(name: string, value: string): number {
  const number = Number(value);
  if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new ServiceError('Invalid', `${name} must be a whole number, not "${value}".`);
  }
  return number;
}

/** One of `choices`. */
export function member<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined)
    throw new ServiceError('Invalid', `${name} must be one of ${choices.join(', ')}, not "${value}".`);
  return found;
}

function refuseUnstorable(text: string): void {
  // What was no UTF-8 has been decoded to this character.
  if (text.includes('\ufffd')) throw new ServiceError('Invalid', 'The query has characters that are no UTF-8.');
  if (/[\ud800-\udfff]/.test(text)) {
    throw new ServiceError('Invalid', 'No image has characters outside the basic multilingual plane.');
  }
}

function each<N extends string, A extends string>(
  names: Readonly<Record<N, A>>,
  reader: (attribute: A) => Reader,
): Record<string, Reader> {
  return Object.fromEntries(Object.entries<A>(names).map(([name, attribute]) => [name, reader(attribute)]));
}
