import type { ImageFilter } from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Dialect } from '../database/dialect.js';
import type { Condition } from './visibility.js';

/** A filter by what belongs to images. */
export type ChildFilter = Extract<ImageFilter, { kind: 'tag' | 'property' }>;

/** Where a list looks for its images, and what else they must be. */
export interface Candidates {
  /** A FROM clause of images `i`. */
  readonly from: Condition;
  readonly conditions: readonly Condition[];
}

export const isChildFilter = (filter: ImageFilter): filter is ChildFilter =>
  filter.kind === 'tag' || filter.kind === 'property';

/**
 * How to find images by their tags and properties: where one of the filters matches at most `few`, from these; otherwise
 * along all images in their order, of which enough match soon. The databases cannot tell, so the matches are counted, up
 * to `few` of them.
 */
export async function candidates(
  database: Database,
  filters: readonly ChildFilter[],
  few: number,
): Promise<Candidates> {
  const { dialect } = database;
  const rarest = filters.length > 0 ? await rarestOf(database, filters, few) : undefined;
  const conditions = filters.filter((filter) => filter !== rarest).map((filter) => matches(dialect, filter));
  if (!rarest) return { from: { sql: 'images i', values: [] }, conditions };
  const { sql, values } = rows(dialect, rarest);
  const from = `(SELECT DISTINCT c.image_id FROM ${sql}) few ${dialect.joinInOrder} images i ON i.id = few.image_id`;
  return { from: { sql: from, values }, conditions };
}

async function rarestOf(
  database: Database,
  filters: readonly ChildFilter[],
  few: number,
): Promise<ChildFilter | undefined> {
  const counts = filters.map((filter, index) => {
    const { sql, values } = rows(database.dialect, filter);
    return { sql: `(SELECT COUNT(*) FROM (SELECT 1 FROM ${sql} LIMIT ?) t${index}) AS n${index}`, values };
  });
  const statement = `SELECT ${counts.map(({ sql }) => sql).join(', ')}`;
  const values = counts.flatMap((count) => [...count.values, few + 1]);
  const [found] = await database.rows<Readonly<Record<string, number>>>(statement, values);
  const numbers = filters.map((_, index) => Number(found?.[`n${index}`]));
  const least = Math.min(...numbers);
  return least <= few ? filters[numbers.indexOf(least)] : undefined;
}

/** The rows of the child table, by its index on values. */
function rows(dialect: Dialect, filter: ChildFilter): Condition {
  const { table, sql, values } = test(dialect, filter);
  return { sql: `${table} c WHERE ${sql}`, values };
}

/** Whether an image matches, asked image by image: as a value and not EXISTS, which MariaDB would turn into a join. */
function matches(dialect: Dialect, filter: ChildFilter): Condition {
  const { table, sql, values } = test(dialect, filter);
  return { sql: `(SELECT 1 FROM ${table} c WHERE c.image_id = i.id AND ${sql} LIMIT 1) = 1`, values };
}

function test(dialect: Dialect, filter: ChildFilter): Condition & { readonly table: string } {
  const equal = filter.kind === 'tag' ? { value: filter.value } : { name: filter.name, value: filter.value };
  const tests = Object.keys(equal).map((column) => `c.${column} = ? AND ${dialect.exactly(`c.${column}`)} = ?`);
  return {
    table: filter.kind === 'tag' ? 'image_tags' : 'image_properties',
    sql: `${tests.join(' AND ')} AND c.deleted + 0 = 0`,
    values: Object.values(equal).flatMap((value) => [value, value]),
  };
}
