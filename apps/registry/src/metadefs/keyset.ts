interface Paging {
  readonly direction: 'asc' | 'desc';
  readonly limit?: number;
}

/** How a query goes through rows page by page, in the order of `columns`, none of which is ever null. */
export interface Keyset {
  /** The condition for what comes after the row of `table` whose `key` is the next value. */
  after(table: string, key: string): string;
  readonly order: string;
  readonly limit: string;
}

export function keyset({ direction, limit }: Paging, columns: readonly string[]): Keyset {
  const row = columns.join(', ');
  const further = direction === 'asc' ? '>' : '<';
  return {
    after: (table, key) => `(${row}) ${further} (SELECT ${row} FROM ${table} WHERE ${key} = ?)`,
    order: `ORDER BY ${columns.map((column) => `${column} ${direction}`).join(', ')}`,
    limit: limit === undefined ? '' : ` LIMIT ${Math.trunc(limit)}`,
  };
}
