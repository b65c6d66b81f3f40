import type { AccessRule } from '@glance/keystone';

/**
 * Whether one of the rules of an application credential allows a request. Paths may hold `{name}` and `*` for one
 * segment and `**` for any number (Identity API v3, "Access rules").
 */
export function allowedBy(rules: readonly AccessRule[], service: string, method: string, path: string): boolean {
  return rules.some((rule) => rule.service === service && rule.method === method && patternOf(rule.path).test(path));
}

function patternOf(path: string): RegExp {
  const parts = path.split(/(\*\*|\*|\{[^/}]*\})/).map((part, index) => {
    if (index % 2 === 0) return RegExp.escape(part);
    return part === '**' ? '.*' : '[^/]+';
  });
  return new RegExp(`^${parts.join('')}$`);
}
