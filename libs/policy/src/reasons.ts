import { type Check, describeCheck } from './check.js';
import { evaluate, type Scope } from './evaluate.js';
import { filled, templateOf } from './template.js';

/**
 * The checks that decided, each with the way to it and with the target's values in it:
 * `rule:context_is_admin > role:admin`. Where several had to agree, all of them.
 */
export async function reasonsOf(check: Check, scope: Scope): Promise<string[]> {
  switch (check.kind) {
    case 'and':
    case 'or': {
      const decisive = check.kind === 'or';
      for (const part of check.checks) if ((await evaluate(part, scope)) === decisive) return reasonsOf(part, scope);
      const all = await Promise.all(check.checks.map((part) => reasonsOf(part, scope)));
      return [...new Set(all.flat())];
    }
    case 'not':
      return (await reasonsOf(check.check, scope)).map((reason) => `not ${reason}`);
    case 'rule': {
      const named = scope.rule(check.name);
      const inner = named === undefined ? ['there is no such rule'] : await reasonsOf(named, scope);
      return inner.map((reason) => `rule:${check.name} > ${reason}`);
    }
    case 'attribute':
    case 'role': {
      const match = filled(templateOf(check.match), scope.target);
      if (match === undefined) return [`${describeCheck(check)} (the target has no such attribute)`];
      const written = describeCheck({ ...check, match });
      return [written === describeCheck(check) ? written : `${describeCheck(check)} = ${written}`];
    }
    default:
      return [describeCheck(check)];
  }
}
