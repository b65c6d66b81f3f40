import {
  type Command,
  type Config,
  ConfigError,
  type Declaration,
  load,
  type Placed,
  referenceOf,
  sampleFile,
} from '@glance/config';
import { drivers } from '@glance/store';
import { declarations } from './config.js';
import type { Context } from './program.js';
import { storePlaces } from './stores.js';
import { version } from './version.js';

/** A command that does not serve. */
export interface ToolCommand extends Command {
  /** Answers with the exit code. */
  run(context: Context): Promise<number>;
}

/** What `glance config …` tells of the configuration that the services read. */
export const configCommands: Readonly<Record<string, ToolCommand>> = {
  'config check': {
    summary: 'Say what is wrong or out of date in the configuration. Exits with 0, or with 1 if something is wrong.',
    run: check,
  },
  'config sample': { summary: 'Print a configuration file with every option and its default.', run: sample },
  'config explain': {
    summary: 'Say what an option is for, what it is worth, and where that is said.',
    arguments: 'OPTION',
    run: explain,
  },
};

/** The configuration of all services together, whichever files belong to one of them only. */
export async function serviceConfig({ commandLine }: Pick<Context, 'commandLine'>): Promise<Config> {
  const configFiles = ['glance-image-import', 'glance-api', 'glance-registry', 'glance-scrubber'];
  const program = { name: 'glance', version, summary: '', configFiles, declarations };
  return load({ program, commandLine, env: process.env, more: storePlaces });
}

/** The same, or all that is wrong with it. */
export async function examinedConfig(
  context: Pick<Context, 'commandLine'>,
): Promise<
  | { readonly config: Config; readonly problems?: never }
  | { readonly config?: never; readonly problems: readonly string[] }
> {
  try {
    return { config: await serviceConfig(context) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems };
  }
}

async function check(context: Context): Promise<number> {
  const examined = await examinedConfig(context);
  if (examined.problems) {
    for (const problem of examined.problems) print(`wrong: ${problem}`);
    return 1;
  }
  const { warnings } = examined.config;
  for (const warning of warnings) print(`warning: ${warning}`);
  print(warnings.length === 0 ? 'The configuration is right.' : 'The configuration is right, with warnings.');
  return 0;
}

async function sample(): Promise<number> {
  process.stdout.write(sampleFile([...declarations, ...(await driverOptions())]));
  return 0;
}

async function driverOptions(): Promise<Declaration[]> {
  return Promise.all(Object.values(drivers).map(async (driver): Promise<Declaration> => (await driver()).options));
}

async function explain(context: Context): Promise<number> {
  const [asked = ''] = context.commandLine.arguments;
  const [, group, name] = /^\[?(?:([^\].]+)[\].]\s*)?(\w+)$/.exec(asked) ?? [];
  const config = await serviceConfig(context);
  const placed: Placed[] = [...declarations, ...(await driverOptions())].map((declaration) => ({ declaration }));
  const stores = (await storePlaces(config)).filter((place) => place.group !== undefined);
  const found = [...placed, ...stores].filter(
    ({ declaration, group: own = declaration.group }) =>
      name !== undefined && Object.hasOwn(declaration.options, name) && (group === undefined || group === own),
  );
  if (name === undefined || found.length === 0) {
    process.stderr.write(`glance: there is no option ${asked}; docs/generated/configuration.md has them all\n`);
    return 1;
  }
  for (const place of found) {
    print(referenceOf(place, name));
    const { text, where } = config.origin(place, name);
    print(`It is ${text}, ${where}.\n`);
  }
  return 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
