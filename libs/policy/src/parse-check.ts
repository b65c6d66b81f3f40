import type { Check } from './check.js';

type Token = '(' | ')' | 'and' | 'or' | 'not' | { readonly text: string };

/** Says what is wrong with a rule's text. */
export class RuleSyntaxError extends Error {
  override readonly name = 'RuleSyntaxError';
}

/**
 * Parses a rule of the oslo.policy language (oslo.policy documentation, "Policy Rule Expressions"): `role:x`, `rule:x`,
 * `attribute:%(target)s`, `http(s)://…`, `@`, `!`, `not`, `and`, `or`, parentheses. Empty text allows everybody. The
 * older form, a list of lists, is an `or` of `and`s. Throws `RuleSyntaxError`.
 */
export function parseCheck(rule: unknown): Check {
  if (typeof rule === 'string') return parseText(rule);
  if (Array.isArray(rule)) return parseList(rule);
  throw new RuleSyntaxError(`A rule is a text or a list, not ${rule === null ? 'null' : typeof rule}.`);
}

function parseList(alternatives: readonly unknown[]): Check {
  if (alternatives.length === 0) return { kind: 'always' };
  const checks: Check[] = alternatives.map((alternative) => {
    const all = Array.isArray(alternative) ? alternative : [alternative];
    return combine('and', all.map(parseSingle));
  });
  return combine('or', checks);
}

function parseSingle(text: unknown): Check {
  if (typeof text !== 'string') throw new RuleSyntaxError('A list of checks holds texts.');
  return parseAtom(text);
}

function parseText(rule: string): Check {
  const tokens = tokenize(rule);
  if (tokens.length === 0) return { kind: 'always' };
  let position = 0;

  function disjunction(): Check {
    const checks = [conjunction()];
    while (tokens[position] === 'or') {
      position++;
      checks.push(conjunction());
    }
    return combine('or', checks);
  }
  function conjunction(): Check {
    const checks = [factor()];
    while (tokens[position] === 'and') {
      position++;
      checks.push(factor());
    }
    return combine('and', checks);
  }
  function factor(): Check {
    let negated = false;
    while (tokens[position] === 'not') {
      negated = !negated;
      position++;
    }
    const check = primary();
    return negated ? { kind: 'not', check } : check;
  }
  function primary(): Check {
    const token = tokens[position++];
    if (token === '(') {
      const check = disjunction();
      if (tokens[position++] !== ')') throw new RuleSyntaxError(`A ")" is missing in "${rule}".`);
      return check;
    }
    if (typeof token === 'object') return parseAtom(token.text);
    throw new RuleSyntaxError(
      `${token === undefined ? 'A check' : `A check, not "${token}",`} is expected in "${rule}".`,
    );
  }

  const check = disjunction();
  if (position < tokens.length) throw new RuleSyntaxError(`"and" or "or" is missing in "${rule}".`);
  return check;
}

/** Blanks separate; parentheses belong to the language only at the ends of a word, as in `(role:a` or `%(id)s)`. */
function tokenize(rule: string): Token[] {
  const tokens: Token[] = [];
  for (const word of rule.split(/\s+/)) {
    if (word === '') continue;
    const opening = /^\(*/.exec(word)![0].length;
    const rest = word.slice(opening);
    const closing = /\)*$/.exec(rest)![0].length;
    const text = rest.slice(0, rest.length - closing);
    for (let i = 0; i < opening; i++) tokens.push('(');
    if (text !== '') {
      const lower = text.toLowerCase();
      tokens.push(lower === 'and' || lower === 'or' || lower === 'not' ? lower : { text });
    }
    for (let i = 0; i < closing; i++) tokens.push(')');
  }
  return tokens;
}

function parseAtom(text: string): Check {
  if (text === '@') return { kind: 'always' };
  if (text === '!') return { kind: 'never' };
  const colon = text.indexOf(':');
  if (colon < 1) throw new RuleSyntaxError(`"${text}" is no check: write "kind:match", "@" or "!".`);
  const kind = text.slice(0, colon);
  const match = text.slice(colon + 1);
  if (kind === 'rule') return { kind: 'rule', name: match };
  if (kind === 'role') return { kind: 'role', match };
  if (kind === 'http' || kind === 'https') return { kind: 'remote', url: text };
  return { kind: 'attribute', name: kind, match };
}

function combine(kind: 'and' | 'or', checks: readonly Check[]): Check {
  return checks.length === 1 ? checks[0]! : { kind, checks };
}
