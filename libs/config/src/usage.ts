import type { Declaration } from './declaration.js';
import { flagName, isFlag } from './flags.js';
import type { Program } from './program.js';
import { wrap } from './wrap.js';

/** How many arguments a usage pattern such as `PATH [PREFIX]` allows. */
export function argumentCount(pattern = ''): { readonly least: number; readonly most: number } {
  const words = pattern.split(' ').filter((word) => word !== '');
  return { least: words.filter((word) => !word.startsWith('[')).length, most: words.length };
}

/** One line: how the program is called. */
export function usage({ name, commands, arguments: pattern }: Program): string {
  const command = commands && '' in commands ? '[COMMAND]' : 'COMMAND';
  const rest = commands ? [command, '[ARGUMENTS]'] : pattern === undefined ? [] : [pattern];
  return ['usage:', name, '[OPTIONS]', ...rest].join(' ');
}

/** What `--help` prints. */
export function help(program: Program): string {
  const commands = Object.entries(program.commands ?? {});
  const paragraphs = [
    usage(program),
    wrap(program.summary, 80).join('\n'),
    ...(commands.length === 0 ? [] : [`Commands:\n${commands.map(describeCommand).join('\n')}`]),
    `Options:\n${[...common, ...program.declarations.flatMap(describeFlags)].map(entry).join('\n')}`,
  ];
  return `${paragraphs.join('\n\n')}\n`;
}

type Entry = readonly [left: string, right: string];

const common: readonly Entry[] = [
  ['-h, --help', 'Print this and exit.'],
  ['--version', 'Print the version and exit.'],
  ['--config-file PATH', 'Read this file instead of the usual ones; may be repeated, later files win.'],
  ['--config-dir DIR', 'Read all *.conf files in this directory, sorted by name; may be repeated.'],
];

function entry([left, right]: Entry): string {
  const [first = '', ...others] = wrap(right, 76).map((line) => `      ${line}`);
  return [`  ${left}`, first, ...others].join('\n');
}

function describeCommand([name, { summary, arguments: pattern, options }]: [
  string,
  NonNullable<Program['commands']>[string],
]): string {
  const left = [name === '' ? '(none)' : name, ...(pattern === undefined ? [] : [pattern])].join(' ');
  const flags = options ? describeFlags(options) : [];
  return [entry([left, summary]), ...flags.map((flag) => entry(flag).replace(/^/gm, '    '))].join('\n');
}

function describeFlags({ group, options }: Declaration): Entry[] {
  return Object.entries(options)
    .filter(([, option]) => isFlag(option))
    .map(([name, { settings, shape }]) => {
      const short = settings.short === undefined ? '' : `-${settings.short}, `;
      const value = shape === 'flag' ? '' : ` ${name.toUpperCase()}`;
      return [`${short}--${flagName(group, name)}${value}`, settings.help] as const;
    });
}
