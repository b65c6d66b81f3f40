import type { Check, Credentials, Target } from './check.js';
import { filled, pythonText, type Template, templateOf } from './template.js';

export interface Scope {
  readonly target: Target;
  readonly credentials: Credentials;
  /** The check behind a rule's name; undefined refuses. No check may lead back to itself. */
  readonly rule: (name: string) => Check | undefined;
  readonly remote: (url: string) => Promise<boolean>;
}

type Verdict = boolean | Promise<boolean>;

/** Whether a check allows; a promise only where a server has to be asked. What cannot be decided is refused. */
export function evaluate(check: Check, scope: Scope): Verdict {
  switch (check.kind) {
    case 'always':
      return true;
    case 'never':
      return false;
    case 'not':
      return then(evaluate(check.check, scope), (verdict) => !verdict);
    case 'and':
      return decide(check.checks, scope, false);
    case 'or':
      return decide(check.checks, scope, true);
    case 'rule': {
      const named = scope.rule(check.name);
      return named !== undefined && evaluate(named, scope);
    }
    case 'role':
      return hasRole(templateOf(check.match), scope);
    case 'remote': {
      const url = filled(templateOf(check.url), scope.target);
      return url !== undefined && scope.remote(url).catch(() => false);
    }
    case 'attribute':
      return matches(check.name, templateOf(check.match), scope);
  }
}

/** The checks in turn, until one says `decisive`. */
function decide(checks: readonly Check[], scope: Scope, decisive: boolean, from = 0): Verdict {
  for (let i = from; i < checks.length; i++) {
    const verdict = evaluate(checks[i]!, scope);
    if (typeof verdict !== 'boolean') {
      return verdict.then((known) => (known === decisive ? decisive : decide(checks, scope, decisive, i + 1)));
    }
    if (verdict === decisive) return decisive;
  }
  return !decisive;
}

function then(verdict: Verdict, next: (verdict: boolean) => boolean): Verdict {
  return typeof verdict === 'boolean' ? next(verdict) : verdict.then(next);
}

function hasRole(match: Template, { target, credentials }: Scope): boolean {
  const wanted = filled(match, target)?.toLowerCase();
  const { roles } = credentials;
  return wanted !== undefined && Array.isArray(roles) && roles.some((role) => String(role).toLowerCase() === wanted);
}

/** `name` is a literal (`'x'`, `True`, `7`) or a path into the credentials; lists on the path match by any element. */
function matches(name: string, match: Template, { target, credentials }: Scope): boolean {
  const wanted = filled(match, target);
  if (wanted === undefined) return false;
  const left = leftSideOf(name);
  if (typeof left === 'string') return left === wanted;
  return anyValueIs(credentials, left, 0, wanted);
}

const leftSides = new Map<string, string | readonly string[]>();

/** A literal's text, or a path. Remembered: policies have few, and ask for them at every request. */
function leftSideOf(name: string): string | readonly string[] {
  const known = leftSides.get(name);
  if (known !== undefined) return known;
  const literal = /^(['"])(.*)\1$/s.exec(name)?.[2] ?? /^(True|False|None|-?\d+(\.\d+)?)$/.exec(name)?.[0];
  const side = literal ?? name.split('.');
  leftSides.set(name, side);
  return side;
}

function anyValueIs(value: unknown, path: readonly string[], depth: number, wanted: string): boolean {
  if (Array.isArray(value)) return value.some((element) => anyValueIs(element, path, depth, wanted));
  if (depth === path.length) return pythonText(value) === wanted;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, path[depth]!)) return false;
  return anyValueIs((value as Record<string, unknown>)[path[depth]!], path, depth + 1, wanted);
}
