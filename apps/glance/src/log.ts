import { mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import type { Logger, LogFields } from '@glance/domain';
import sonicBoom from 'sonic-boom';

export interface LogSettings {
  /** The program's name, in every line. */
  readonly program: string;
  /** Debug messages too. */
  readonly debug: boolean;
  /** A path; standard error if absent. */
  readonly file: string | undefined;
  /** One JSON object per line instead of text. */
  readonly json: boolean;
}

export interface Log extends Logger {
  /** Writes out what is buffered. */
  flush(): void;
  /** Opens the file anew, after somebody moved it away. */
  reopen(): void;
}

type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

/** A log in the form that operators of OpenStack know: time, process, level, program, request, message, fields. */
export function openLog(settings: LogSettings): Log {
  const { file } = settings;
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
  const sink = new sonicBoom.SonicBoom({
    fd: file === undefined ? 2 : openSync(file, 'a'),
    // A write for every line would cost as much as the request that it tells of.
    sync: false,
    minLength: 4096,
    periodicFlush: 200,
  });
  const format = settings.json ? jsonLine : textLine;
  const write = (level: Level, message: string, fields: LogFields | undefined): void => {
    sink.write(format(settings.program, level, message, fields));
  };
  return {
    debug: (message, fields) => {
      if (settings.debug) write('DEBUG', message, fields);
    },
    info: (message, fields) => write('INFO', message, fields),
    warn: (message, fields) => write('WARNING', message, fields),
    error: (message, fields) => write('ERROR', message, fields),
    flush: () => sink.flushSync(),
    reopen: () => {
      if (file !== undefined) sink.reopen(file);
    },
  };
}

function textLine(program: string, level: Level, message: string, fields: LogFields = {}): string {
  const { requestId, error, ...rest } = fields;
  const time = new Date().toISOString().replace('T', ' ').slice(0, -1);
  const context = typeof requestId === 'string' ? `[${requestId}]` : '[-]';
  let details = '';
  for (const key in rest) details += ` ${key}=${show(rest[key])}`;
  const trace = error === undefined ? '' : `\n${describe(error)}`;
  return `${time} ${process.pid} ${level} ${program} ${context} ${message}${details}${trace}\n`;
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : inspect(value, { breakLength: Infinity });
}

function jsonLine(program: string, level: Level, message: string, fields: LogFields = {}): string {
  const { error, ...rest } = fields;
  const trace = error === undefined ? {} : { error: describe(error) };
  return `${JSON.stringify({ time: new Date().toISOString(), pid: process.pid, level, program, message, ...rest, ...trace })}\n`;
}

/** Stack and causes. `inspect` alone would also print own properties, which may be whole requests. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describe(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
