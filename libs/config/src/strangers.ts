import { namesOf, type Placed } from './config.js';
import { foreignGroups, foreignOptions } from './foreign-options.js';
import { keyOf, sameGroup, type Given } from './given.js';
import { retiredOptions } from './retired-options.js';
import type { Name } from './sources.js';

/** Warnings for given values that no declaration knows: one for each, or for all of a group that share a reason. */
export function strangers(given: readonly Given[], placed: readonly Placed[]): string[] {
  const names = placed.flatMap(({ declaration, group = declaration.group, fallback }) =>
    Object.keys(declaration.options).flatMap((name) =>
      [group, ...(fallback === undefined ? [] : [fallback])].flatMap((one) => namesOf(declaration, name, one)),
    ),
  );
  const known = new Set(names.map(keyOf));
  const strange = Map.groupBy(
    given.filter((one) => !known.has(keyOf(one))),
    keyOf,
  );
  const alike = Map.groupBy(
    [...strange.values()].map(([first]) => ({ first: first!, verdict: judge(first!, names) })),
    ({ first, verdict }) => (verdict.shared ? `${sameGroup(first.group)}\n${verdict.clause}` : keyOf(first)),
  );
  return [...alike.values()].map((all) => {
    const { first, verdict } = all[0]!;
    return `${first.where}: [${first.group}] ${all.map((one) => one.first.name).join(', ')}: ${verdict.clause}`;
  });
}

interface Verdict {
  readonly clause: string;
  /** One warning is enough for all of the group that deserve the same. */
  readonly shared?: true;
}

function judge(given: Given, names: readonly Name[]): Verdict {
  const group = sameGroup(given.group);
  const retired = retiredOptions.find((one) => one.group === group && one.names.some((name) => fits(given.name, name)));
  if (retired) {
    const since = retired.since === '' ? '' : ` (removed in ${retired.since})`;
    return { clause: `has no effect any more${since}: ${retired.instead}` };
  }

  const owner = ownerOf(group, given.name);
  const here = names.filter((name) => sameGroup(name.group) === group);
  const meant = owner?.exact ? undefined : here.find(({ name }) => oneTypoApart(name, given.name));
  if (meant) return { clause: `unknown, without effect; did you mean ${meant.name}?` };
  if (owner) return { clause: `known to ${owner.name}, but without effect here`, shared: true };

  if (here.length > 0 || group === 'DEFAULT') {
    const elsewhere = names.find(({ name }) => name === given.name);
    return { clause: `unknown, without effect${elsewhere ? `; it belongs in [${elsewhere.group}]` : ''}` };
  }
  const groups = ['DEFAULT', ...names.map((name) => name.group), ...Object.values(foreignGroups).flat()];
  const close = groups.find((name) => oneTypoApart(name, group));
  return { clause: `unknown group, without effect${close ? `; did you mean [${close}]?` : ''}`, shared: true };
}

/** Whose a name is. `exact`: the option itself is known, not only its group. */
function ownerOf(group: string, name: string): { readonly name: string; readonly exact: boolean } | undefined {
  const table = group === 'DEFAULT' ? foreignOptions : foreignGroups;
  const asked = group === 'DEFAULT' ? name : group;
  const owner = Object.entries(table).find(([, patterns]) => patterns.some((pattern) => fits(asked, pattern)));
  return owner && { name: owner[0], exact: group === 'DEFAULT' };
}

function fits(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Equal but for one letter missing, added, wrong or exchanged with the next, or for `-` instead of `_`. */
function oneTypoApart(left: string, right: string): boolean {
  let [a, b] = [left, right].map((text) => text.toLowerCase().replaceAll('-', '_')) as [string, string];
  while (a !== '' && a.charAt(0) === b.charAt(0)) [a, b] = [a.slice(1), b.slice(1)];
  while (a !== '' && a.at(-1) === b.at(-1)) [a, b] = [a.slice(0, -1), b.slice(0, -1)];
  return Math.max(a.length, b.length) <= 1 || (a.length === 2 && b === a.charAt(1) + a.charAt(0));
}
