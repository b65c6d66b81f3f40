import { declare, type ValuesOf } from './declaration.js';
import { flag, list, text } from './option.js';

/** From the least important on. */
const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;

/** How important a line of the log is. Nothing of ours is CRITICAL: a log of that level is silent. */
export type LogLevel = (typeof levels)[number];

const pairOf = (text: string): readonly [name: string, level: string] => {
  const [name = '', level = ''] = text.split('=');
  return [name.trim(), level];
};

const levelOf = (name: string): LogLevel | undefined => {
  const upper = name.trim().toUpperCase();
  return levels.find((level) => level === (upper === 'WARN' ? 'WARNING' : upper));
};

/** Whether a line of level `line` belongs in a log of level `log`. */
export const isLogged = (line: LogLevel, log: LogLevel): boolean => levels.indexOf(line) >= levels.indexOf(log);

/** The options of oslo.log that every program takes, in files and on the command line. */
export const logOptions = declare('DEFAULT', {
  debug: flag({ default: false, short: 'd', help: 'Log messages of level DEBUG too.' }),
  default_log_levels: list({
    default: [],
    help:
      'Levels of loggers as name=LEVEL pairs: glance=WARNING for all programs, glance.api=DEBUG for one of them; DEBUG, INFO, ' +
      'WARNING, ERROR, or CRITICAL for nothing. Without one, debug decides. Those of other loggers have no effect.',
    check: (pairs) =>
      pairs.map(pairOf).every(([name, level]) => !/^glance\b/.test(name) || levelOf(level))
        ? undefined
        : `pairs such as glance=WARNING, with one of the levels ${levels.join(', ')}`,
  }),
  log_file: text({
    aliases: ['logfile'],
    cli: true,
    help: 'File to log to; a relative path starts at log_dir. Without it and log_dir, the log goes to standard error.',
  }),
  log_dir: text({
    aliases: ['logdir'],
    cli: true,
    help: 'Directory of log_file. Without log_file, the log is named after the program: glance-api.log.',
  }),
  use_json: flag({ default: false, cli: true, help: 'Log one JSON object per line instead of text.' }),
});

export type LogOptions = ValuesOf<typeof logOptions>;

/** The level of the log of a program such as `glance-api`: that of the logger `glance.api`, of `glance`, or of all. */
export function logLevelOf({ debug, defaultLogLevels }: LogOptions, program: string): LogLevel {
  const given = new Map(defaultLogLevels.map(pairOf));
  const own = given.get(program.replaceAll('-', '.')) ?? given.get('glance');
  return (own === undefined ? undefined : levelOf(own)) ?? (debug ? 'DEBUG' : 'INFO');
}
