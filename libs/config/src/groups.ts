import { ConfigError } from './config-error.js';
import { parseIni } from './ini-file.js';

/** The values of an ini file of its own, by its groups, each name once. `file` is for the `ConfigError` of one that is none. */
export function readGroups(content: string, file: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const { given, problems } = parseIni(content, file);
  if (problems.length > 0) throw new ConfigError(problems);
  const groups = new Map<string, Record<string, string>>();
  for (const { group, name, text } of given) groups.set(group, { ...groups.get(group), [name]: text });
  return groups;
}
