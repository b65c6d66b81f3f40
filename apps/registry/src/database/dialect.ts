/** Where the SQL of the two kinds of database differs. Everything else is written once. */
export interface Dialect {
  readonly name: 'sqlite' | 'mysql';
  /** Begins a transaction that will write. */
  readonly begin: string;
  /** Ends a SELECT whose rows nobody else may change until the transaction ends. */
  readonly forUpdate: string;
  /** Child rows aggregated to a JSON object; no rows may give null. */
  objectOf(key: string, value: string): string;
  /** `column` for comparing exactly: MySQL's collations ignore case and trailing blanks. */
  exactly(column: string): string;
  /** A join whose left side is read first. */
  readonly joinInOrder: string;
  /** The form in which times are stored. */
  time(date: Date): string;
}

const iso = (date: Date): string => date.toISOString().replace('T', ' ').slice(0, 23);

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  // A transaction that reads first and writes later fails if somebody else wrote in between.
  begin: 'BEGIN IMMEDIATE',
  forUpdate: '',
  objectOf: (key, value) => `json_group_object(${key}, ${value})`,
  exactly: (column) => column,
  joinInOrder: 'CROSS JOIN',
  // Glance: SQLAlchemy writes and expects six digits, without a zone.
  time: (date) => `${iso(date)}000`,
};

export const mysqlDialect: Dialect = {
  name: 'mysql',
  begin: 'START TRANSACTION',
  forUpdate: ' FOR UPDATE',
  objectOf: (key, value) => `JSON_OBJECTAGG(${key}, ${value})`,
  exactly: (column) => `CAST(${column} AS BINARY)`,
  joinInOrder: 'STRAIGHT_JOIN',
  // DATETIME keeps whole seconds, and would round up.
  time: (date) => iso(date).slice(0, 19),
};

/** A stored time as the contracts have it: `YYYY-MM-DDTHH:MM:SSZ`. */
export function wireTime(stored: string): string {
  return `${stored.slice(0, 10)}T${stored.slice(11, 19)}Z`;
}
