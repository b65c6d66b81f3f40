import { InvalidValue } from './invalid-value.js';
import { joinDict, joinList, splitDict, splitList } from './value-syntax.js';

/** What may be said about any option; `T` is its value, `D` the type of its default. */
export interface OptionSettings<T, D extends T | undefined> {
  /** One or more sentences for the sample file and the reference page. */
  readonly help: string;
  /** Used when no source has a value. Text inside may refer to other options (`$name`). */
  readonly default?: D;
  /** The value never appears in messages. */
  readonly secret?: boolean;
  /** Not one of Glance's options. */
  readonly ours?: boolean;
  /** `since …; use …`: still read, but a value causes a warning. */
  readonly deprecated?: string;
  /** Former names, `group.name` or `name` for the same group; a value under one of them causes a warning. */
  readonly aliases?: readonly string[];
  /** May be given on the command line too, as `--name`. */
  readonly cli?: boolean;
  /** One letter: `-d` for `--debug`. Implies `cli`. */
  readonly short?: string;
  /** A rule beyond the type: what a wrong value must be instead (`must be …`), never repeating it; nothing for a right one. */
  readonly check?: (value: T) => string | undefined;
}

/** An option as declared, with its value type; made by `text`, `integer`, `number`, `flag`, `list`, `dict`, `choice`, `multi`. */
export interface Option<T = unknown> {
  readonly settings: OptionSettings<unknown, unknown>;
  /** What the sample file and the reference page call the type: `integer value`. */
  readonly type: string;
  readonly default: T | undefined;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** `many`: a repeated key adds a value. `number`: an empty value is none. */
  readonly shape: 'text' | 'number' | 'flag' | 'many';
  /** Throws `InvalidValue`. */
  parse(texts: readonly string[]): T;
  /** The default as a file would say it, one for each repetition of the key; `parse` is the way back. */
  readonly defaultTexts: readonly string[];
}

type Filled<T, D> = undefined extends D ? T | undefined : T;

interface Kind<T> extends Pick<Option, 'type' | 'shape' | 'min' | 'max' | 'choices'> {
  readonly read: (texts: readonly string[]) => T;
  readonly write?: (value: T) => readonly string[];
}

function option<T, D extends T | undefined>(
  { read, write = (value) => [String(value)], ...facts }: Kind<T>,
  settings: OptionSettings<T, D>,
): Option<Filled<T, D>> {
  function parse(texts: readonly string[]): T {
    const value = read(texts);
    const objection = settings.check?.(value);
    if (objection !== undefined) throw new InvalidValue(`must be ${objection}`);
    return value;
  }
  const fallback: T | undefined = settings.default;
  return {
    ...facts,
    settings: settings as OptionSettings<unknown, unknown>,
    default: settings.default,
    parse,
    defaultTexts: fallback === undefined ? [] : write(fallback),
  };
}

const last = (texts: readonly string[]): string => texts.at(-1) ?? '';

// White space at the edges, and quotes around the whole, survive an ini file in another pair of quotes only.
function quoted(value: string): string {
  if (value === value.trim() && !/^(["']).*\1$/s.test(value)) return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

/** A string, taken as it is. */
export function text<D extends string | undefined = undefined>(
  settings: OptionSettings<string, D>,
): Option<Filled<string, D>> {
  return option({ type: 'string value', shape: 'text', read: last, write: (value) => [quoted(value)] }, settings);
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function numeric(what: string, pattern: RegExp, { min, max }: Bounds) {
  const range =
    min !== undefined && max !== undefined
      ? ` from ${min} to ${max}`
      : min !== undefined
        ? ` of at least ${min}`
        : max !== undefined
          ? ` of at most ${max}`
          : '';
  return (texts: readonly string[]): number => {
    const trimmed = last(texts).trim();
    const value = Number(trimmed);
    const good = pattern.test(trimmed) && Number.isFinite(value) && value >= (min ?? value) && value <= (max ?? value);
    if (!good) throw new InvalidValue(`must be ${what}${range}`);
    return value;
  };
}

const bounds = ({ min, max }: Bounds): Bounds => ({
  ...(min !== undefined && { min }),
  ...(max !== undefined && { max }),
});

/** A whole number, within `min` and `max` (both included). Beyond 2^53 the nearest that a number can hold. */
export function integer<D extends number | undefined = undefined>(
  settings: OptionSettings<number, D> & Bounds,
): Option<Filled<number, D>> {
  const read = numeric('a whole number', /^[+-]?\d+$/, settings);
  return option({ type: 'integer value', shape: 'number', read, ...bounds(settings) }, settings);
}

/** A number, with or without a fraction, within `min` and `max` (both included). */
export function number<D extends number | undefined = undefined>(
  settings: OptionSettings<number, D> & Bounds,
): Option<Filled<number, D>> {
  const read = numeric('a number', /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, settings);
  return option({ type: 'floating point value', shape: 'number', read, ...bounds(settings) }, settings);
}

const flagWords = new Map([
  ...['true', '1', 'yes', 'on'].map((word) => [word, true] as const),
  ...['false', '0', 'no', 'off'].map((word) => [word, false] as const),
]);

/** True or false: `true`, `1`, `yes`, `on` or `false`, `0`, `no`, `off` in any case. */
export function flag<D extends boolean | undefined = undefined>(
  settings: OptionSettings<boolean, D>,
): Option<Filled<boolean, D>> {
  function read(texts: readonly string[]): boolean {
    const value = flagWords.get(last(texts).trim().toLowerCase());
    if (value === undefined) throw new InvalidValue('must be true or false');
    return value;
  }
  return option({ type: 'boolean value', shape: 'flag', read }, settings);
}

/** Strings separated by commas; brackets around the list and quotes around an item are optional. */
export function list<D extends readonly string[] | undefined = undefined>(
  settings: OptionSettings<readonly string[], D>,
): Option<Filled<readonly string[], D>> {
  const read = (texts: readonly string[]): readonly string[] => splitList(last(texts));
  return option({ type: 'list value', shape: 'text', read, write: (items) => [joinList(items)] }, settings);
}

/** `key:value` pairs separated by commas; brackets around the whole and quotes around a key or value are optional. */
export function dict<D extends Readonly<Record<string, string>> | undefined = undefined>(
  settings: OptionSettings<Readonly<Record<string, string>>, D>,
): Option<Filled<Readonly<Record<string, string>>, D>> {
  const read = (texts: readonly string[]): Readonly<Record<string, string>> => splitDict(last(texts));
  return option({ type: 'dict value', shape: 'text', read, write: (pairs) => [joinDict(pairs)] }, settings);
}

/** One of `choices`, spelled exactly so. */
export function choice<const C extends readonly string[], D extends C[number] | undefined = undefined>(
  choices: C,
  settings: OptionSettings<C[number], D>,
): Option<Filled<C[number], D>> {
  function read(texts: readonly string[]): C[number] {
    const value = last(texts);
    if (!choices.includes(value)) throw new InvalidValue(`must be one of ${choices.join(', ')}`);
    return value;
  }
  return option({ type: 'string value', shape: 'text', choices, read }, settings);
}

/** A key that may be repeated, each time adding one string. */
export function multi<D extends readonly string[] | undefined = undefined>(
  settings: OptionSettings<readonly string[], D>,
): Option<Filled<readonly string[], D>> {
  return option({ type: 'multi valued', shape: 'many', read: (texts) => texts, write: (items) => items }, settings);
}
