import type { CommandLine } from './command-line.js';
import { ConfigError } from './config-error.js';
import { readConfigFiles } from './config-files.js';
import { Config, type Placed } from './config.js';
import type { Program } from './program.js';
import { Sources } from './sources.js';
import { strangers } from './strangers.js';

/** What `load` reads besides the declarations of the program. */
export interface LoadRequest {
  readonly program: Program;
  readonly commandLine: CommandLine;
  readonly env: NodeJS.ProcessEnv;
  /**
   * Declarations for groups that other values name: the stores of `enabled_backends`. May throw `ConfigError`; what is
   * wrong there joins the rest.
   */
  readonly more?: (config: Config) => readonly Placed[] | Promise<readonly Placed[]>;
}

/**
 * The configuration of a program: files, over them the environment (`OS_<GROUP>__<OPTION>`), over it the command line.
 * Throws one `ConfigError` that names everything that is wrong.
 */
export async function load({ program, commandLine, env, more }: LoadRequest): Promise<Config> {
  const { files, problems, directories } = readConfigFiles(commandLine.configPaths, program.configFiles, env);
  const sources = new Sources(files, env, commandLine.given);
  const own = [...program.declarations, ...(commandLine.options ? [commandLine.options] : [])];
  const placed: Placed[] = own.map((declaration) => ({ declaration }));
  const wrong = [...problems];

  if (more) {
    try {
      placed.push(...(await more(new Config(sources, placed, []))));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      wrong.push(...error.problems);
    }
  }

  const config = new Config(sources, placed, []);
  const examined = placed.map((one) => config.examine(one));
  wrong.push(...examined.flatMap((one) => one.problems));
  if (wrong.length > 0) throw new ConfigError(wrong);

  const warnings = [...examined.flatMap((one) => one.warnings), ...strangers(sources.all(), placed)];
  return new Config(sources, placed, [...new Set(warnings)], directories);
}
