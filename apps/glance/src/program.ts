import cluster from 'node:cluster';
import { resolve } from 'node:path';
import {
  type Config,
  ConfigError,
  load,
  logLevelOf,
  logOptions,
  parseCommandLine,
  type CommandLine,
  type Placed,
  type Program,
} from '@glance/config';
import { isServiceError } from '@glance/domain';
import { startTracing, tracingOptions } from '@glance/tracing';
import { type Log, openLog } from './log.js';
import { describeProcess } from './metrics/exposition.js';
import { version } from './version.js';
import { workerVariable } from './workers.js';

export interface Context {
  readonly config: Config;
  readonly commandLine: CommandLine;
  readonly log: Log;
}

/** A part that runs until it is told to stop. */
export interface Running {
  /** Lets what is under way end, for at most a while. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  /** Declarations for groups that other values name. */
  readonly more?: (config: Config) => readonly Placed[] | Promise<readonly Placed[]>;
  /** Whether options of the files that this program does not know are reported: others share the api's file. */
  readonly warn?: boolean;
}

/**
 * Runs a program: reads its command line and configuration, opens its log, and does `body`. A body that answers with
 * something running keeps the process alive until a signal; another answers with the exit code.
 */
export async function runProgram(
  program: Program,
  body: (context: Context) => Promise<Running | number>,
  { more, warn = false }: ProgramOptions = {},
): Promise<void> {
  const own = { ...program, declarations: [logOptions, tracingOptions, ...program.declarations] };
  const commandLine = parseCommandLine(own, process.argv.slice(2));
  if ('exitCode' in commandLine) {
    (commandLine.exitCode === 0 ? process.stdout : process.stderr).write(commandLine.output);
    process.exitCode = commandLine.exitCode;
    return;
  }
  try {
    const read = (): Promise<Config> => load({ program: own, commandLine, env: process.env, ...(more && { more }) });
    const config = await read();
    const log = await openLog(logSettings(program.name, config));
    process.on('SIGHUP', () => void reload(log, program.name, read));
    if (warn) for (const warning of config.warnings) log.warn(warning);
    describeProcess(program.name, process.env[workerVariable]);
    const options = config.read(tracingOptions);
    const tracing = await startTracing({
      options,
      environment: process.env,
      program: program.name,
      version,
      logger: log,
    });
    const finish = async (): Promise<void> => {
      await tracing?.stop();
      log.flush();
    };
    try {
      await live(log, () => body({ config, commandLine, log }), finish);
    } finally {
      await finish();
    }
  } catch (error) {
    process.stderr.write(`${program.name}: ${reason(error)}\n`);
    // A connection that is open already would keep a process alive that serves nobody.
    process.exit(1);
  }
}

/** What an operator can do something about is told in a sentence; the rest with its stack. */
function reason(error: unknown): string {
  if (error instanceof ConfigError || (isServiceError(error) && error.code !== 'Internal')) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Goes on in a new file if somebody moved the old one away, and takes over what level the log has now. */
async function reload(log: Log, name: string, read: () => Promise<Config>): Promise<void> {
  log.reopen();
  try {
    const level = logLevelOf((await read()).read(logOptions), name);
    // Whoever asked for silence is told of it, too.
    log.setLevel('INFO');
    log.info(`The log goes on at level ${level}.`);
    log.setLevel(level);
  } catch (error) {
    log.error('The configuration cannot be read again; the log goes on as it was.', { error });
  }
}

function logSettings(name: string, config: Config) {
  const options = config.read(logOptions);
  const { logFile, logDir, useJson } = options;
  const file = logFile ?? (logDir === undefined ? undefined : `${name}.log`);
  return {
    program: name,
    level: logLevelOf(options, name),
    json: useJson,
    secrets: config.secrets(),
    file: file === undefined ? undefined : resolve(logDir ?? '', file),
  };
}

async function live(log: Log, body: () => Promise<Running | number>, finish: () => Promise<void>): Promise<void> {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error: unknown) => {
      log.error('A defect ends this process.', { error });
      log.flush();
      process.exit(1);
    });
  }
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  const result = await body();
  if (typeof result === 'number') {
    process.exitCode = result;
    return;
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait. A worker may hear of one stop from its supervisor and from its parent.
      if (cluster.isPrimary) process.on(signal, () => process.exit(1));
      stopped.resolve(signal);
    });
  }
  log.info(`Stopping on ${await stopped.promise}.`);
  await result.stop();
  log.info('Stopped.');
  await finish();
  process.exit(0);
}
