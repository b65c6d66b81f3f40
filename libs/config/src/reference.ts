import type { Placed } from './config.js';
import type { Declaration } from './declaration.js';
import { grouped } from './grouped.js';
import type { Option } from './option.js';
import { retiredOptions } from './retired-options.js';

/** A Markdown page: a table of options for each group, and the options that Glance no longer has. */
export function referencePage(declarations: readonly Declaration[]): string {
  const groups = [...grouped(declarations)].map(([group, options]) => {
    const rows = [...options].map(([name, option]) => [
      `\`${name}\``,
      typeOf(option),
      defaultOf(option),
      ...say(option),
    ]);
    return `## [${group}]\n\n${table(['option', 'type', 'default', 'meaning', 'of', 'status'], rows)}`;
  });
  const retired = retiredOptions.map(({ group, names, since, instead }) => [
    `[${group}] ${names.map((name) => `\`${name}\``).join(', ')}`,
    since,
    instead,
  ]);
  return [
    '# Configuration options',
    'Values come from the files (`--config-file`, `--config-dir`, else `/etc/glance`), over them from the environment as\n' +
      '`OS_<GROUP>__<OPTION>`, over it from the command line where an option has a flag.',
    ...groups,
    '## Options without effect',
    'Old files have them; each causes a warning at the start.',
    table(['option', 'removed in', 'instead'], retired),
  ]
    .join('\n\n')
    .concat('\n');
}

/** What the page says of one option, for a terminal. */
export function referenceOf({ declaration, group = declaration.group }: Placed, name: string): string {
  const option = declaration.options[name]!;
  const [meaning, of, status] = say(option);
  const lines = [
    `[${group}] ${name} (${typeOf(option)}; default: ${defaultOf(option)}; ${of === 'ours' ? 'not an option of Glance' : 'as in Glance'})`,
    ...(status ? [status] : []),
    meaning,
  ];
  return lines.join('\n').replaceAll('`', '');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll(/\s*\n\s*/g, ' ');
}

function typeOf({ type, min, max, choices }: Option): string {
  if (choices) return choices.map((choice) => `\`${choice}\``).join(', ');
  const kind = type.replace(/ value.*/, '');
  if (min === undefined && max === undefined) return kind;
  return `${kind}, ${min ?? '…'} to ${max ?? '…'}`;
}

function defaultOf(option: Option): string {
  if (option.default === undefined) return '–';
  return option.defaultTexts.map((value) => (value === '' ? 'empty' : `\`${value}\``)).join(', ') || 'empty';
}

function say({ settings }: Option): string[] {
  const status = [
    ...(settings.deprecated === undefined ? [] : [`deprecated ${settings.deprecated}`]),
    ...(settings.secret ? ['secret'] : []),
    ...(settings.aliases ?? []).map((alias) => `formerly \`${alias}\``),
  ];
  return [settings.help, settings.ours ? 'ours' : 'Glance', status.join('; ')];
}
