import type { Option } from './option.js';

/** Options of one ini group, by their names in the file. */
export type Options = Readonly<Record<string, Option>>;

/** Options declared together; the same declaration can be read from several groups. */
export interface Declaration<O extends Options = Options> {
  readonly group: string;
  readonly options: O;
}

/** Declares the options of the ini group `group`, keys being their names in the file. */
export function declare<const O extends Options>(group: string, options: O): Declaration<O> {
  return { group, options };
}

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** The values of a declaration: `bind_host` becomes `bindHost`; an option without a default may be undefined. */
export type ValuesOf<D extends Declaration> = {
  readonly [K in keyof D['options'] & string as CamelCase<K>]: D['options'][K] extends Option<infer T> ? T : never;
};

/** The key in `ValuesOf` of an option name. */
export function camelCase(name: string): string {
  const [head = '', ...tail] = name.split('_');
  return head + tail.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
