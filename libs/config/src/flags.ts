import type { ConfigPath } from './config-files.js';
import type { Declaration } from './declaration.js';
import type { Option } from './option.js';
import type { Name } from './sources.js';

/** A command-line flag, without its dashes. */
export interface Flag {
  readonly sets: ConfigPath['kind'] | Name | 'help' | 'version';
  /** What it means by itself; absent if a value must follow. */
  readonly alone?: string;
  readonly short?: string;
}

// Flags of oslo.log that start scripts pass; without effect unless a program declares them.
const foreign = {
  values: ['log_config_append', 'log_config', 'log_date_format', 'syslog_log_facility'],
  switches: ['watch_log_file', 'use_syslog', 'use_journal', 'use_json', 'use_stderr'],
};

function spellings(name: string): string[] {
  return [...new Set([name, name.replaceAll('_', '-')])];
}

/** Flags that every program takes. */
export const commonFlags: ReadonlyMap<string, Flag> = new Map<string, Flag>([
  ['help', { sets: 'help', alone: '', short: 'h' }],
  ['version', { sets: 'version', alone: '' }],
  ...spellings('config_file').map((name) => [name, { sets: 'file' }] as const),
  ...spellings('config_dir').map((name) => [name, { sets: 'directory' }] as const),
  ...foreign.values.flatMap(spellings).map((name) => [name, { sets: inDefault(name) }] as const),
  ...foreign.switches.flatMap(spellings).map((name) => [name, { sets: inDefault(name), alone: 'true' }] as const),
]);

function inDefault(name: string): Name {
  return { group: 'DEFAULT', name: name.replaceAll('-', '_') };
}

/** Whether an option may be given on the command line. */
export function isFlag({ settings }: Option): boolean {
  return settings.cli === true || settings.short !== undefined;
}

/** The name of an option's flag, without dashes: that of its group comes first unless it is `DEFAULT`. */
export function flagName(group: string, name: string): string {
  return (group === 'DEFAULT' ? name : `${group}_${name}`).replaceAll('_', '-');
}

/** The flags of declared options in all spellings, for booleans `--no…` too. */
export function cliFlags(declarations: readonly Declaration[]): [string, Flag][] {
  return declarations.flatMap(({ group, options }) =>
    Object.entries(options)
      .filter(([, option]) => isFlag(option))
      .flatMap(([name, option]) => flagsOf({ group, name }, option)),
  );
}

function flagsOf(sets: Name, { settings, shape }: Option): [string, Flag][] {
  const { short } = settings;
  const former = (settings.aliases ?? []).map((alias) => alias.slice(alias.lastIndexOf('.') + 1));
  const names = [flagName(sets.group, sets.name), ...former.map((name) => flagName('DEFAULT', name))];
  const spelled = names.flatMap((name) => spellings(name.replaceAll('-', '_')));
  const yes: Flag = shape === 'flag' ? { sets, alone: 'true' } : { sets };
  const no: Flag = { sets, alone: 'false' };
  return spelled.flatMap((name, index): [string, Flag][] => [
    [name, index === 0 && short !== undefined ? { ...yes, short } : yes],
    ...(shape === 'flag' ? [`no${name}`, `no-${name}`].map((negated): [string, Flag] => [negated, no]) : []),
  ]);
}
