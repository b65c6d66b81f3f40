import { parseArgs } from 'node:util';
import type { ConfigPath } from './config-files.js';
import type { Declaration } from './declaration.js';
import { cliFlags, commonFlags, type Flag } from './flags.js';
import type { Given } from './given.js';
import type { Program } from './program.js';
import { argumentCount, help, usage } from './usage.js';

/** A command line that was understood. */
export interface CommandLine {
  /** A key of the program's `commands`. */
  readonly command: string | undefined;
  /** What follows the command, as many as its declaration says. */
  readonly arguments: readonly string[];
  /** In order: what comes later wins. */
  readonly configPaths: readonly ConfigPath[];
  readonly given: readonly Given[];
  /** Of the command. */
  readonly options: Declaration | undefined;
}

/** A command line that ends the program: print `output` (on standard error unless `exitCode` is 0) and exit. */
export interface CommandExit {
  readonly exitCode: 0 | 2;
  readonly output: string;
}

/** Understands `argv` (without node and script); flags may be written with `-` or `_` between words. */
export function parseCommandLine(program: Program, argv: readonly string[]): CommandLine | CommandExit {
  const wrong = (message: string): CommandExit => ({
    exitCode: 2,
    output: `${usage(program)}\n${program.name}: ${message}; ${program.name} --help tells more\n`,
  });

  const ofCommands = Object.values(program.commands ?? {}).flatMap((command) => command.options ?? []);
  const general = new Map([...commonFlags, ...cliFlags(program.declarations)]);
  const flags = new Map<string, Flag>([...cliFlags(ofCommands), ...general]);
  const words: string[] = [];
  const configPaths: ConfigPath[] = [];
  const given: Given[] = [];
  const ofCommand: Given[] = [];
  for (const token of tokensOf(argv, flags)) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = flags.get(token.name);
    if (!flag) return wrong(`unknown option ${token.rawName}`);
    if (flag.sets === 'help') return { exitCode: 0, output: help(program) };
    if (flag.sets === 'version') return { exitCode: 0, output: `${program.version}\n` };
    const text = token.value ?? flag.alone;
    if (text === undefined) return wrong(`${token.rawName} needs a value`);
    if (typeof flag.sets === 'string') configPaths.push({ kind: flag.sets, path: text });
    else {
      const value = { ...flag.sets, text, where: token.rawName };
      given.push(value);
      if (!general.has(token.name)) ofCommand.push(value);
    }
  }

  const { command, rest } = commandIn(program, words);
  if (program.commands && command === undefined) {
    return wrong(words.length === 0 ? 'a command is missing' : `unknown command ${JSON.stringify(words.join(' '))}`);
  }
  const chosen = (command === undefined ? undefined : program.commands?.[command]) ?? { arguments: program.arguments };
  const options = 'options' in chosen ? chosen.options : undefined;
  const misplaced = ofCommand.find(({ name }) => !Object.hasOwn(options?.options ?? {}, name));
  if (misplaced) return wrong(`unknown option ${misplaced.where} of ${command ?? program.name}`);
  const { least, most } = argumentCount(chosen.arguments);
  if (rest.length < least) return wrong(`missing ${chosen.arguments ?? ''}`);
  if (rest.length > most) return wrong(`unexpected argument ${JSON.stringify(rest[most])}`);
  return { command, arguments: rest, configPaths, given, options };
}

function tokensOf(argv: readonly string[], flags: ReadonlyMap<string, Flag>) {
  const options = [...flags].map(([name, { alone, short }]) => {
    const type = alone === undefined ? ('string' as const) : ('boolean' as const);
    return [name, { type, ...(short !== undefined && { short }) }] as const;
  });
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens;
}

/** `db sync` may be written `db_sync`. No command's words may be the beginning of another's. */
function commandIn({ commands = {} }: Program, words: readonly string[]) {
  const fitting = Object.keys(commands).flatMap((command) => {
    const { length } = command.split(' ');
    if (words.slice(0, length).join(' ') === command) return [{ command, rest: words.slice(length) }];
    return words[0] === command.replaceAll(' ', '_') ? [{ command, rest: words.slice(1) }] : [];
  });
  return fitting[0] ?? { command: undefined, rest: words };
}
