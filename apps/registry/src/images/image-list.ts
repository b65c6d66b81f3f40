import { type Image, type ImageFilter, type ImageQuery, ServiceError, type Sort, type SortKey } from '@glance/domain';
import type { Rights } from '../authorization/authorization.js';
import type { Database } from '../database/database.js';
import type { SqlValue } from '../database/session.js';
import type { Dialect } from '../database/dialect.js';
import { type ImageRecord, selectList, toImage } from './image-rows.js';
import { candidates, type ChildFilter, isChildFilter } from './child-filters.js';
import { both, type Condition, listed, visible } from './visibility.js';

const columns = {
  id: 'id',
  name: 'name',
  status: 'status',
  containerFormat: 'container_format',
  diskFormat: 'disk_format',
  size: 'size',
  minRam: 'min_ram',
  minDisk: 'min_disk',
  owner: 'owner',
  checksum: 'checksum',
  osHashAlgo: 'os_hash_algo',
  osHashValue: 'os_hash_value',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
} as const;

const never: Condition = { sql: '1 = 0', values: [] };

/** Images that a filter may match so that they are looked at one by one, and sorted. */
const mostCandidates = 1_000;

/**
 * One page of images. The page is found first, by index where there is one, and only its images are read in full.
 * Null sorts before everything else. A marker that the caller cannot see is `Invalid`.
 */
export async function listImages(
  database: Database,
  rights: Rights,
  query: ImageQuery,
  few = mostCandidates,
): Promise<Image[]> {
  const { dialect } = database;
  const sorts = totalOrder(query.sort);
  const { from, conditions } = await candidates(database, query.filters.filter(isChildFilter), few);
  const common: Condition[] = [
    // `+ 0`: an index on a flag that most images share is not the one to walk along.
    { sql: `i.deleted = 0 AND ${query.osHidden ? 'i.os_hidden = 1' : 'i.os_hidden + 0 = 0'}`, values: [] },
    ...conditions,
    ...query.filters.flatMap((filter) => (isChildFilter(filter) ? [] : filterCondition(dialect, filter))),
  ];
  if (query.marker !== undefined) common.push(after(sorts, await readMarker(database, rights, sorts, query.marker)));
  if (query.limit === 0) return [];
  const page = union(
    listed(dialect, rights, query).map((shown) => both(shown, ...common)),
    { from, sorts, limit: query.limit },
  );
  const sql = `SELECT page.place, ${selectList(dialect)} FROM (${page.sql}) page JOIN images i ON i.id = page.id`;
  const rows = await database.rows<ImageRecord & { place: number }>(sql, page.values);
  // Sorting whole images in the database would take a temporary table on disk.
  return rows.sort((a, b) => a.place - b.place).map((row) => toImage(row, database.cipher));
}

/**
 * The first ids of all that one of `alternatives` holds for: the first of each, and of these the first; with the place
 * of each.
 */
function union(
  alternatives: readonly Condition[],
  { from, sorts, limit }: { readonly from: Condition; readonly sorts: readonly Sort[]; readonly limit: number },
): Condition {
  const keys = sorts.map(({ key }, index) => `i.${columns[key]} AS k${index}`).join(', ');
  const order = sorts.map(({ direction }, index) => `k${index} ${direction}`).join(', ');
  const pages = alternatives.map(({ sql, values }) => ({
    sql: `SELECT i.id AS id, ${keys} FROM ${from.sql} WHERE ${sql} ORDER BY ${order} LIMIT ?`,
    values: [...from.values, ...values, limit],
  }));
  const all = pages.map(({ sql }, index) => `SELECT * FROM (${sql}) p${index}`).join(' UNION ');
  const sql = `SELECT id, ROW_NUMBER() OVER (ORDER BY ${order}) AS place FROM (${all}) u ORDER BY place LIMIT ?`;
  return { sql, values: [...pages.flatMap(({ values }) => values), limit] };
}

/** Glance: what does not differ by the keys asked for is ordered by age and id, in the direction of the first key. */
function totalOrder(asked: readonly Sort[]): Sort[] {
  const direction = asked[0]?.direction ?? 'desc';
  const sorts: Sort[] = [];
  for (const sort of [...asked, { key: 'createdAt', direction } as const, { key: 'id', direction } as const]) {
    if (!sorts.some(({ key }) => key === sort.key)) sorts.push(sort);
  }
  return sorts;
}

type MarkerRow = Readonly<Record<string, SqlValue>>;

async function readMarker(database: Database, rights: Rights, sorts: readonly Sort[], id: string): Promise<MarkerRow> {
  const { sql, values } = visible(database.dialect, rights);
  const names = ['id', ...sorts.map(({ key }) => columns[key])].join(', i.');
  const statement = `SELECT i.${names} FROM images i WHERE i.id = ? AND i.deleted = 0 AND ${sql}`;
  const [row] = await database.rows<MarkerRow>(statement, [id, ...values]);
  if (row?.['id'] !== id) throw new ServiceError('Invalid', `The marker "${id}" is not the id of an image.`);
  return row;
}

/** What comes after the marker: equal in the first keys, further in the next. */
function after(sorts: readonly Sort[], marker: MarkerRow): Condition {
  const alternatives: Condition[] = [];
  let equal: Condition[] = [];
  for (const { key, direction } of sorts) {
    const column = `i.${columns[key]}`;
    const value = marker[columns[key]] ?? null;
    alternatives.push(both(...equal, further(key, direction, column, value)));
    equal = [
      ...equal,
      value === null ? { sql: `${column} IS NULL`, values: [] } : { sql: `${column} = ?`, values: [value] },
    ];
  }
  const sql = `(${alternatives.map((alternative) => alternative.sql).join(' OR ')})`;
  const values = alternatives.flatMap((alternative) => alternative.values);
  return both(bound(sorts[0]!, marker), { sql, values });
}

function further(key: SortKey, direction: Sort['direction'], column: string, value: SqlValue): Condition {
  if (direction === 'asc')
    return value === null ? { sql: `${column} IS NOT NULL`, values: [] } : { sql: `${column} > ?`, values: [value] };
  if (value === null) return never;
  const orNull = neverNull.has(key) ? '' : ` OR ${column} IS NULL`;
  return { sql: `(${column} < ?${orNull})`, values: [value] };
}

const neverNull = new Set<SortKey>(['createdAt', 'id', 'status']);

/** Follows from the rest, but lets the database begin at the right place of an index. */
function bound({ key, direction }: Sort, marker: MarkerRow): Condition {
  if (!neverNull.has(key)) return { sql: '1 = 1', values: [] };
  return { sql: `i.${columns[key]} ${direction === 'asc' ? '>=' : '<='} ?`, values: [marker[columns[key]] ?? null] };
}

function filterCondition(dialect: Dialect, filter: Exclude<ImageFilter, ChildFilter>): Condition {
  switch (filter.kind) {
    case 'oneOf':
      return oneOf(dialect, columns[filter.attribute], filter.values);
    case 'number': {
      const operator = { eq: '=', gte: '>=', lte: '<=' }[filter.comparison];
      return { sql: `i.${columns[filter.attribute]} ${operator} ?`, values: [filter.value] };
    }
    case 'time':
      return time(dialect, columns[filter.attribute], filter.comparison, filter.value);
    case 'protected':
      return { sql: 'i.protected = ?', values: [filter.value ? 1 : 0] };
  }
}

function oneOf(dialect: Dialect, column: string, values: readonly string[]): Condition {
  if (values.length === 0) return never;
  const marks = values.map(() => '?').join(', ');
  const exact = dialect.exactly(`i.${column}`);
  if (exact === `i.${column}`) return { sql: `${exact} IN (${marks})`, values };
  // The first half finds rows by index, the second is exact.
  return { sql: `(i.${column} IN (${marks}) AND ${exact} IN (${marks}))`, values: [...values, ...values] };
}

/** Times are compared as the clients see them: in whole seconds. */
function time(dialect: Dialect, column: string, comparison: string, value: string): Condition {
  const begin = new Date(value);
  const [from, to] = [begin, new Date(begin.getTime() + 1000)].map((date) => dialect.time(date)) as [string, string];
  const conditions: Readonly<Record<string, Condition>> = {
    eq: { sql: `(i.${column} >= ? AND i.${column} < ?)`, values: [from, to] },
    neq: { sql: `(i.${column} < ? OR i.${column} >= ?)`, values: [from, to] },
    gt: { sql: `i.${column} >= ?`, values: [to] },
    gte: { sql: `i.${column} >= ?`, values: [from] },
    lt: { sql: `i.${column} < ?`, values: [from] },
    lte: { sql: `i.${column} < ?`, values: [to] },
  };
  return conditions[comparison]!;
}
