import { InvalidValue } from './invalid-value.js';

/** Cuts `text` at `separator` outside of quotes; a quote counts at the start of a piece and after `opener`. */
function cut(text: string, separator: string, opener = separator, limit = Infinity): string[] {
  const pieces: string[] = [];
  let start = 0;
  let atStart = true;
  for (let position = 0; position < text.length && pieces.length + 1 < limit; position += 1) {
    const character = text.charAt(position);
    if (character === separator) {
      pieces.push(text.slice(start, position).trim());
      start = position + 1;
    } else if (atStart && (character === '"' || character === "'")) {
      position = text.indexOf(character, position + 1);
      if (position < 0) throw new InvalidValue(`must have a closing ${character}`);
    }
    atStart = character === separator || character === opener || (atStart && character.trim() === '');
  }
  return [...pieces, text.slice(start).trim()];
}

function unquote(text: string): string {
  const quote = text.charAt(0);
  if (quote !== '"' && quote !== "'") return text;
  if (text.indexOf(quote, 1) !== text.length - 1)
    throw new InvalidValue(`must have nothing after the closing ${quote}`);
  return text.slice(1, -1);
}

function cutItems(text: string, opener?: string): string[] {
  const trimmed = text.trim();
  const items = cut(/^\[.*\]$|^\{.*\}$/s.test(trimmed) ? trimmed.slice(1, -1) : trimmed, ',', opener);
  while (items.at(-1) === '') items.pop();
  return items;
}

/** Items of a comma-separated list, brackets and quotes removed; trailing commas add nothing. */
export function splitList(text: string): string[] {
  return cutItems(text).map(unquote);
}

/** Pairs of `key:value,key:value`; only the first colon of a pair separates. */
export function splitDict(text: string): Record<string, string> {
  const pairs = cutItems(text, ':').map((item) => {
    const [key = '', value] = cut(item, ':', ':', 2).map(unquote);
    if (value === undefined || key === '') throw new InvalidValue('must be key:value pairs separated by commas');
    return [key, value] as const;
  });
  if (new Set(pairs.map(([key]) => key)).size < pairs.length) throw new InvalidValue('must have every key once');
  return Object.fromEntries(pairs);
}

function quote(text: string, separators: RegExp): string {
  if (text !== '' && text === text.trim() && !/^["'[{]|[\]}]$/.test(text) && !separators.test(text)) return text;
  return text.includes('"') ? `'${text}'` : `"${text}"`;
}

// Without brackets the ini file would take outer quotes for quotes around the whole.
function bracket(text: string, [open, close]: readonly [string, string]): string {
  return /^(["']).*\1$/s.test(text) ? `${open}${text}${close}` : text;
}

/** The way back from `splitList`. An item with both kinds of quotes has no spelling. */
export function joinList(items: readonly string[]): string {
  return bracket(items.map((item) => quote(item, /,/)).join(','), ['[', ']']);
}

/** The way back from `splitDict`. */
export function joinDict(pairs: Readonly<Record<string, string>>): string {
  const spelled = Object.entries(pairs).map(([key, value]) => `${quote(key, /[,:]/)}:${quote(value, /,|:\s*["']/)}`);
  return bracket(spelled.join(','), ['{', '}']);
}
