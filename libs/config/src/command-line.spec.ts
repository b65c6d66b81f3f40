import { describe, expect, test } from 'vitest';
import { parseCommandLine, type CommandLine } from './command-line.js';
import { declare } from './declaration.js';
import { logOptions } from './log-options.js';
import { flag, integer, text } from './option.js';
import type { Program } from './program.js';
import { Scratch } from './testing/scratch.js';
import { load } from './load.js';

const purgeOptions = declare('DEFAULT', {
  age_in_days: integer({ default: 30, cli: true, help: 'Rows older than this.' }),
  max_rows: integer({ default: 100, min: -1, cli: true, help: 'At most so many.' }),
});
const metadefOptions = declare('DEFAULT', { merge: flag({ default: false, cli: true, help: 'Keep what is there.' }) });
const manage: Program = {
  name: 'glance-manage',
  version: '1.2.3',
  summary: 'Manages the database.',
  configFiles: [],
  declarations: [logOptions],
  commands: {
    'db sync': { summary: 'Brings the schema up to date.', arguments: '[VERSION]' },
    'db purge': { summary: 'Removes deleted rows.', options: purgeOptions },
    'db purge_images_table': { summary: 'Removes deleted images.', options: purgeOptions },
    'db load_metadefs': { summary: 'Loads definitions.', arguments: 'PATH [PREFIX]', options: metadefOptions },
  },
};
const scrubberOptions = declare('DEFAULT', {
  daemon: flag({ default: false, short: 'D', help: 'Keep running.' }),
  restore: text({ cli: true, help: 'Image to restore.' }),
  wakeup_time: integer({ default: 300, help: 'Seconds.' }),
});
const scrubber: Program = {
  name: 'glance-scrubber',
  version: '1',
  summary: 'Scrubs.',
  configFiles: [],
  declarations: [logOptions, scrubberOptions],
};

function accepted(program: Program, ...argv: string[]): CommandLine {
  const result = parseCommandLine(program, argv);
  if ('exitCode' in result) throw new Error(result.output);
  return result;
}

function given(program: Program, ...argv: string[]): Record<string, string> {
  return Object.fromEntries(accepted(program, ...argv).given.map(({ name, text }) => [name, text]));
}

describe('a command', () => {
  test('is found by its words, or joined by underscores, among flags', () => {
    expect(accepted(manage, 'db', 'sync')).toMatchObject({ command: 'db sync', arguments: [] });
    expect(accepted(manage, 'db_sync', 'heads')).toMatchObject({ command: 'db sync', arguments: ['heads'] });
    expect(accepted(manage, '-d', 'db', '--config-file', 'x', 'sync', 'heads')).toMatchObject({
      command: 'db sync',
      arguments: ['heads'],
      configPaths: [{ kind: 'file', path: 'x' }],
    });
    expect(accepted(manage, 'db_purge_images_table').command).toBe('db purge_images_table');
    expect(accepted(manage, 'db', 'purge').command).toBe('db purge');
    expect(accepted(manage, 'db', 'load_metadefs', '/etc/metadefs', '--merge').arguments).toEqual(['/etc/metadefs']);
  });

  test('has flags of its own, read like any option', async () => {
    using scratch = new Scratch();
    const commandLine = accepted(manage, 'db', 'purge', '--age_in_days', '7', '--max-rows=-1');
    const config = await load({ program: manage, commandLine, env: { OS_GLANCE_CONFIG_DIR: scratch.directory } });
    expect(config.read(purgeOptions)).toEqual({ ageInDays: 7, maxRows: -1 });
    expect(config.warnings).toEqual([]);
  });

  test('with a wrong value among its flags does not start', async () => {
    using scratch = new Scratch();
    const commandLine = accepted(manage, 'db', 'purge', '--max_rows', 'all');
    const loaded = load({ program: manage, commandLine, env: { OS_GLANCE_CONFIG_DIR: scratch.directory } });
    await expect(loaded).rejects.toThrow(
      '--max_rows: [DEFAULT] max_rows = "all": must be a whole number of at least -1',
    );
  });

  test.each([
    [[], 'a command is missing'],
    [['db'], 'unknown command "db"'],
    [['db', 'drop'], 'unknown command "db drop"'],
    [['db', 'sync', 'a', 'b'], 'unexpected argument "b"'],
    [['db', 'load_metadefs'], 'missing PATH [PREFIX]'],
    [['db', 'sync', '--max_rows', '3'], 'unknown option --max_rows of db sync'],
    [['db', 'sync', '--frobnicate'], 'unknown option --frobnicate'],
    [['db', 'sync', '-x'], 'unknown option -x'],
    [['db', 'sync', '--config-file'], '--config-file needs a value'],
  ])('%j is refused with usage and exit code 2', (argv, message) => {
    const result = parseCommandLine(manage, argv);
    expect(result).toEqual({
      exitCode: 2,
      output: `usage: glance-manage [OPTIONS] COMMAND [ARGUMENTS]\nglance-manage: ${message}; glance-manage --help tells more\n`,
    });
  });
});

describe('flags', () => {
  test('are written with - or _, with = or a blank, short where they have a letter', () => {
    expect(given(scrubber, '-D', '-d', '--restore', 'some-id')).toEqual({
      daemon: 'true',
      debug: 'true',
      restore: 'some-id',
    });
    expect(given(scrubber, '-dD')).toEqual({ daemon: 'true', debug: 'true' });
    expect(given(scrubber, '--log_dir=/a', '--log-file', 'b')).toEqual({ log_dir: '/a', log_file: 'b' });
    expect(given(scrubber, '--logfile', 'b')).toEqual({ log_file: 'b' });
  });

  test('for a boolean have an opposite', () => {
    expect(given(scrubber, '--nodebug')).toEqual({ debug: 'false' });
    expect(given(scrubber, '--no-debug', '--daemon')).toEqual({ debug: 'false', daemon: 'true' });
  });

  test('of oslo.log are accepted, whether or not they have an effect', () => {
    const argv = ['--use-syslog', '--use-stderr', '--syslog-log-facility', 'LOG_USER', '--log-config-append', 'x'];
    expect(Object.keys(given(scrubber, ...argv, '--log-date-format=%H', '--watch-log-file'))).toHaveLength(6);
  });

  test('are only those of options that may be given there', () => {
    expect(parseCommandLine(scrubber, ['--wakeup-time', '3'])).toMatchObject({ exitCode: 2 });
    expect(parseCommandLine(scrubber, ['stray'])).toMatchObject({
      exitCode: 2,
      output: expect.stringContaining('unexpected argument "stray"') as string,
    });
  });

  test('name files and directories in order', () => {
    expect(accepted(scrubber, '--config-dir', 'a', '--config-file=b', '--config_file', 'c').configPaths).toEqual([
      { kind: 'directory', path: 'a' },
      { kind: 'file', path: 'b' },
      { kind: 'file', path: 'c' },
    ]);
  });

  test('ask for the version or for help before anything is wrong', () => {
    expect(parseCommandLine(manage, ['--version'])).toEqual({ exitCode: 0, output: '1.2.3\n' });
    for (const argv of [['-h'], ['db', '--help']]) {
      const help = parseCommandLine(manage, argv);
      expect(help).toMatchObject({ exitCode: 0 });
      expect('output' in help && help.output).toMatch(
        /^usage: glance-manage[^]*db load_metadefs PATH \[PREFIX\][^]*--merge[^]*-d, --debug/,
      );
    }
  });
});
