import type { Given } from './given.js';

/** The assignments of an ini file in order, and what in it is not ini. */
export interface IniFile {
  readonly given: readonly Given[];
  readonly problems: readonly string[];
}

/** Reads the ini dialect of oslo.config. `file` is only for messages, which never repeat a line: it may hold a secret. */
export function parseIni(content: string, file: string): IniFile {
  const given: Given[] = [];
  const problems: string[] = [];
  let group: string | undefined;
  let brokenGroup = false;
  let open: { text: string } | undefined;

  const assign = (line: string, where: string): { text: string } => {
    const [, key = '', value = ''] = /^([^=:]*)[=:](.*)$/.exec(line) ?? [];
    const name = key.trim();
    const assignment = { group: group ?? '', name, text: withoutQuotes(value.trim()), where };
    if (name === '') problems.push(`${where}: must be "option = value", "[group]" or a comment`);
    else if (group !== undefined) given.push(assignment);
    else if (!brokenGroup) problems.push(`${where}: ${name} stands before the first group; [DEFAULT] must come first`);
    return assignment;
  };

  for (const [index, raw] of content
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trimEnd();
    const where = `${file}:${index + 1}`;
    if (/^[ \t]/.test(line)) {
      if (open) open.text += `\n${line.trimStart()}`;
      else problems.push(`${where}: starts with white space but continues nothing; options start in the first column`);
      continue;
    }
    open = undefined;
    if (line.startsWith('[')) {
      group = /^\[(.+)\]$/.exec(line)?.[1];
      brokenGroup = group === undefined;
      if (brokenGroup) problems.push(`${where}: a group must look like [name]`);
    } else if (line !== '' && !/^[#;]/.test(line)) {
      open = assign(line, where);
    }
  }
  return { given, problems };
}

// Glance: oslo.config takes the outer quotes off in any case, and so breaks lists of quoted items.
function withoutQuotes(value: string): string {
  return /^"[^"]*"$|^'[^']*'$/.test(value) ? value.slice(1, -1) : value;
}
