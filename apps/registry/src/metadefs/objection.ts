import type { PropertySchema } from '@glance/domain';

const truthValues = ['true', 'false', '1', '0', 't', 'f', 'yes', 'no', 'y', 'n', 'on', 'off'];

type Judge = (schema: PropertySchema, value: string) => string | undefined;

/** What each type of property makes of a value, which is always text. */
const judges: Readonly<Record<string, Judge>> = {
  string: (schema, value) => oneOf(schema['enum'], value) ?? length(schema, value) ?? shape(schema['pattern'], value),
  integer: (schema, value) => (/^[+-]?\d+$/.test(value.trim()) ? amount(schema, value) : 'a whole number'),
  number: (schema, value) => (isNumber(value) ? amount(schema, value) : 'a number'),
  boolean: (_schema, value) => (truthValues.includes(value.toLowerCase()) ? undefined : 'true or false'),
  array: (schema, value) => elements(schema, value === '' ? [] : value.split(',')),
};

/**
 * What a value would have to be instead, in words; undefined if the definition has nothing against it. Values that
 * begin with one of its operators (`<in> a`) are conditions, and not looked at.
 */
export function objection(schema: PropertySchema, value: string): string | undefined {
  if (list(schema['operators']).some((operator) => value.startsWith(`${operator} `))) return undefined;
  return judges[String(schema['type'])]?.(schema, value);
}

const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const isNumber = (value: string): boolean => value.trim() !== '' && Number.isFinite(Number(value));

function oneOf(allowed: unknown, value: string): string | undefined {
  const choices = list(allowed);
  return choices.length === 0 || choices.includes(value) ? undefined : `one of ${choices.join(', ')}`;
}

function amount(schema: PropertySchema, value: string): string | undefined {
  const { minimum, maximum } = schema;
  if (typeof minimum === 'number' && Number(value) < minimum) return `at least ${minimum}`;
  if (typeof maximum === 'number' && Number(value) > maximum) return `at most ${maximum}`;
  return list(schema['enum']).some((choice) => Number(choice) === Number(value))
    ? undefined
    : oneOf(schema['enum'], value);
}

function length({ minLength, maxLength }: PropertySchema, value: string): string | undefined {
  if (typeof minLength === 'number' && value.length < minLength) return `at least ${minLength} characters long`;
  if (typeof maxLength === 'number' && value.length > maxLength) return `at most ${maxLength} characters long`;
  return undefined;
}

function shape(pattern: unknown, value: string): string | undefined {
  const expression = typeof pattern === 'string' ? expressionOf(pattern) : undefined;
  return expression && !expression.test(value) ? `of the form ${pattern as string}` : undefined;
}

/** Undefined for what Python understands and JavaScript does not, or nobody. */
function expressionOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return undefined;
  }
}

function elements({ items, minItems, maxItems }: PropertySchema, values: readonly string[]): string | undefined {
  if (typeof minItems === 'number' && values.length < minItems) return `a list of at least ${minItems}, by commas`;
  if (typeof maxItems === 'number' && values.length > maxItems) return `a list of at most ${maxItems}, by commas`;
  const schema = (items ?? {}) as PropertySchema;
  const reasons = values.map((value) => objection({ type: 'string', ...schema }, value.trim()));
  const reason = reasons.find((found) => found !== undefined);
  return reason === undefined ? undefined : `a list, by commas, each ${reason}`;
}
