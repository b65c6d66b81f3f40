import { declare, type ValuesOf } from './declaration.js';
import { flag, text } from './option.js';

/** The options of oslo.log that every program takes, in files and on the command line. */
export const logOptions = declare('DEFAULT', {
  debug: flag({ default: false, short: 'd', help: 'Log messages of level DEBUG too.' }),
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
