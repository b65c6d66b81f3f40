/** What a caller is, as a policy sees it: `roles`, `user_id`, `project_id`, … Values may be nested. */
export type Credentials = Readonly<Record<string, unknown>>;

/** What is to be acted upon: `%(name)s` in a rule takes its attribute `name`. Nested ones are flattened with dots. */
export type Target = Readonly<Record<string, unknown>>;

/** Asks a server about a request under the rule of this name; true to allow. Anything that fails is a refusal. */
export type RemoteCheck = (url: string, target: Target, credentials: Credentials, rule: string) => Promise<boolean>;

/** One node of a parsed rule. */
export type Check =
  | { readonly kind: 'always' }
  | { readonly kind: 'never' }
  | { readonly kind: 'not'; readonly check: Check }
  | { readonly kind: 'and' | 'or'; readonly checks: readonly Check[] }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'role'; readonly match: string }
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'attribute'; readonly name: string; readonly match: string };

/** The text of a check, such that parsing it gives an equal check. */
export function describeCheck(check: Check): string {
  switch (check.kind) {
    case 'always':
      return '@';
    case 'never':
      return '!';
    case 'not':
      return `not ${describeCheck(check.check)}`;
    case 'and':
    case 'or':
      return `(${check.checks.map(describeCheck).join(` ${check.kind} `)})`;
    case 'rule':
      return `rule:${check.name}`;
    case 'role':
      return `role:${check.match}`;
    case 'remote':
      return check.url;
    case 'attribute':
      return `${check.name}:${check.match}`;
  }
}
