import { type Comparison, ServiceError } from '@glance/domain';

/**
 * The values that a filter such as `name` accepts: `x`, `eq:x` or `in:a,b,"c,d"`. A value with a colon that is no
 * operator needs the `eq:`.
 */
export function oneOfFilter(name: string, expression: string): string[] {
  const colon = expression.indexOf(':');
  if (colon < 0) return [expression];
  const operator = expression.slice(0, colon);
  const rest = expression.slice(colon + 1);
  if (operator === 'eq') return [rest];
  if (operator === 'in') return listed(name, rest);
  throw new ServiceError('Invalid', `${name} knows the operators in: and eq:, not "${operator}:".`);
}

function listed(name: string, text: string): string[] {
  const item = /(?:"([^"]*)"|([^",]*))(,|$)/y;
  const values: string[] = [];
  for (;;) {
    const found = item.exec(text);
    if (!found) throw new ServiceError('Invalid', `${name}=in:… has a quote that does not enclose a whole value.`);
    values.push(found[1] ?? found[2] ?? '');
    if (found[3] === '') return values;
  }
}

const comparisons: readonly Comparison[] = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'];

/** The comparison that a filter such as `created_at` makes: `gte:2026-11-22T18:00:00Z`; `eq` without an operator. */
export function timeFilter(name: string, expression: string): { comparison: Comparison; value: string } {
  const plain = isoTime(expression);
  if (plain !== undefined) return { comparison: 'eq', value: plain };
  const colon = expression.indexOf(':');
  const comparison = comparisons.find((known) => known === expression.slice(0, Math.max(colon, 0)));
  if (!comparison) {
    throw new ServiceError('Invalid', `${name} must be a time, or one after one of ${comparisons.join(':, ')}:.`);
  }
  const value = isoTime(expression.slice(colon + 1));
  if (value === undefined) throw new ServiceError('Invalid', `${name} needs a time such as 2026-11-22T18:00:00Z.`);
  return { comparison, value };
}

// A "+" of an offset arrives as a blank if the client did not encode it.
const isoPattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?:(Z)|([+\- ])(\d\d):?(\d\d)?)?)?$/;

/** `YYYY-MM-DDTHH:MM:SSZ` for a time in ISO 8601, UTC if it does not say; undefined if it is none. */
function isoTime(text: string): string | undefined {
  const found = isoPattern.exec(text);
  if (!found) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour = '00',
    minute = '00',
    second = '00',
    ,
    sign,
    offsetHours = '0',
    offsetMinutes = '0',
  ] = found;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const time = Date.parse(`${local}Z`);
  // A day or an hour that does not exist is moved into the next one by some engines.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 19) !== local) return undefined;
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === '-' ? -1 : 1);
  const utc = new Date(time - offset * 60_000).toISOString();
  // Years beyond four digits are written with a sign.
  return /^\d{4}-/.test(utc) ? `${utc.slice(0, 19)}Z` : undefined;
}
