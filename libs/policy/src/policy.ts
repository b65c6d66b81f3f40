import { type Check, type Credentials, describeCheck, type RemoteCheck, type Target } from './check.js';
import { evaluate, type Scope } from './evaluate.js';
import { reasonsOf } from './reasons.js';
import { parseCheck, RuleSyntaxError } from './parse-check.js';

/** A rule as the service ships it. */
export interface DefaultRule {
  readonly name: string;
  readonly check: string;
  /** What the rule means, for the sample file. */
  readonly description: string;
  /** What it said before project personas; allowed as well while `newDefaults` is off. */
  readonly legacy?: string;
  /** A former name, under which an override is still honoured. */
  readonly formerly?: string;
}

export interface PolicyOptions {
  /** Rules from policy files, by name; they win over the defaults. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Off: what a default's `legacy` rule allows is allowed too. */
  readonly newDefaults?: boolean;
  /** The rule that stands in for one that does not exist. */
  readonly fallback?: string;
  readonly remote?: RemoteCheck;
}

/** Why a request is allowed or refused. */
export interface Explanation {
  readonly allowed: boolean;
  readonly rule: string;
  /** The check that decided, in the policy language. */
  readonly check: string;
  readonly source: 'default' | 'policy file' | 'fallback' | 'none';
  /** The parts of it that did: `rule:context_is_admin > role:admin`. */
  readonly because: readonly string[];
}

interface Rule {
  readonly check: Check;
  readonly source: 'default' | 'policy file';
}

/** The rules in force: defaults, with policy files over them. Immutable; a changed file makes a new one. */
export class Policy {
  /** What was wrong with the policy files, in words. A rule that cannot be read refuses everybody. */
  readonly problems: readonly string[];
  private readonly rules = new Map<string, Rule>();
  private readonly fallback: string;
  private readonly remote: RemoteCheck;

  constructor(defaults: readonly DefaultRule[], options: PolicyOptions = {}) {
    const { overrides = {}, newDefaults = true, fallback = 'default', remote = refuse } = options;
    const problems: string[] = [];
    this.fallback = fallback;
    this.remote = remote;
    for (const rule of defaults) {
      const check = parseCheck(rule.check);
      const legacy = newDefaults || rule.legacy === undefined ? undefined : parseCheck(rule.legacy);
      this.rules.set(rule.name, {
        check: legacy ? { kind: 'or', checks: [check, legacy] } : check,
        source: 'default',
      });
    }
    for (const { name, formerly } of defaults) {
      if (formerly === undefined || !Object.hasOwn(overrides, formerly) || Object.hasOwn(overrides, name)) continue;
      problems.push(`The rule "${formerly}" is called "${name}" now.`);
      this.override(name, overrides[formerly], problems);
    }
    for (const [name, rule] of Object.entries(overrides)) this.override(name, rule, problems);
    this.refuseCycles(problems);
    this.problems = problems;
  }

  /** A rule that depends on itself means nothing, and following it would never end. */
  private refuseCycles(problems: string[]): void {
    const named = new Map([...this.rules].map(([name, { check }]) => [name, this.namedBy(check)]));
    const reaches = (from: string, wanted: string, seen: Set<string>): boolean =>
      (named.get(from) ?? []).some((next) => {
        if (next === wanted) return true;
        if (seen.has(next)) return false;
        seen.add(next);
        return reaches(next, wanted, seen);
      });
    for (const name of [...named.keys()].filter((one) => reaches(one, one, new Set()))) {
      this.rules.set(name, { check: { kind: 'never' }, source: this.rules.get(name)!.source });
      problems.push(`The rule "${name}" refuses everybody, because it refers to itself.`);
    }
  }

  /** The rules that a check asks. */
  private namedBy(check: Check): string[] {
    if (check.kind === 'and' || check.kind === 'or') return check.checks.flatMap((part) => this.namedBy(part));
    if (check.kind === 'not') return this.namedBy(check.check);
    if (check.kind !== 'rule') return [];
    return [this.rules.has(check.name) ? check.name : this.fallback];
  }

  private override(name: string, rule: unknown, problems: string[]): void {
    let check: Check = { kind: 'never' };
    try {
      check = parseCheck(rule);
    } catch (error) {
      if (!(error instanceof RuleSyntaxError)) throw error;
      problems.push(`The rule "${name}" refuses everybody, because it cannot be read: ${error.message}`);
    }
    this.rules.set(name, { check, source: 'policy file' });
  }

  /** Whether `name` allows `credentials` to act on `target`; a promise only where a rule asks a server. */
  allows(name: string, target: Target, credentials: Credentials): boolean | Promise<boolean> {
    const rule = this.find(name);
    return rule !== undefined && evaluate(rule.check, this.scope(name, target, credentials));
  }

  /** The same, with the reason. */
  async explain(name: string, target: Target, credentials: Credentials): Promise<Explanation> {
    const own = this.rules.get(name);
    const rule = own ?? this.find(name);
    if (!rule) return { allowed: false, rule: name, check: '!', source: 'none', because: ['there is no such rule'] };
    const scope = this.scope(name, target, credentials);
    const allowed = await evaluate(rule.check, scope);
    const because = await reasonsOf(rule.check, scope);
    return { allowed, rule: name, check: describeCheck(rule.check), source: own ? own.source : 'fallback', because };
  }

  /** Names of all rules. */
  names(): string[] {
    return [...this.rules.keys()];
  }

  private find(name: string): Rule | undefined {
    return this.rules.get(name) ?? this.rules.get(this.fallback);
  }

  private scope(asked: string, target: Target, credentials: Credentials): Scope {
    return {
      target,
      credentials,
      rule: (name) => this.find(name)?.check,
      remote: (url) => this.remote(url, target, credentials, asked),
    };
  }
}

async function refuse(): Promise<boolean> {
  return false;
}
