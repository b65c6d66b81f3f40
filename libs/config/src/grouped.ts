import type { Declaration } from './declaration.js';
import type { Option } from './option.js';

/** Options by group, `DEFAULT` first, the others by name; an option declared twice appears once. */
export function grouped(declarations: readonly Declaration[]): ReadonlyMap<string, ReadonlyMap<string, Option>> {
  const groups = new Map<string, Map<string, Option>>();
  for (const { group, options } of declarations) {
    const known = groups.get(group) ?? new Map<string, Option>();
    for (const [name, option] of Object.entries(options)) if (!known.has(name)) known.set(name, option);
    groups.set(group, known);
  }
  const rank = (group: string): string => (group === 'DEFAULT' ? '' : group);
  return new Map([...groups].sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1)));
}
