import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { isLogged, type LogLevel } from '@glance/config';
import type { Logger, LogFields } from '@glance/domain';
import { currentRequest } from '@glance/rpc';
import sonicBoom from 'sonic-boom';
import { redactor } from './redact.js';

export interface LogSettings {
  /** The program's name, in every line. */
  readonly program: string;
  /** Lines below it are left out. */
  readonly level: LogLevel;
  /** A path; standard error if absent. */
  readonly file: string | undefined;
  /** One JSON object per line instead of text. */
  readonly json: boolean;
  /** What must not be in it. */
  readonly secrets: readonly string[];
}

export interface Log extends Logger {
  /** Writes out what is buffered. */
  flush(): void;
  /** Opens the file anew, after somebody moved it away. */
  reopen(): void;
  /** Leaves out lines below this level from now on. */
  setLevel(level: LogLevel): void;
}

/** Bytes that may wait to be written; what comes then is lost. */
const mostUnwritten = 16 * 1024 ** 2;

/**
 * A log in the form that operators of OpenStack know: time, process, level, program, request, message, fields. Fails if
 * its file cannot be written.
 */
export async function openLog(settings: LogSettings): Promise<Log> {
  const { file } = settings;
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
  const sink = new sonicBoom.SonicBoom({
    ...(file === undefined ? { fd: 2 } : { dest: file }),
    // A write for every line would cost as much as the request that it tells of.
    sync: false,
    minLength: 4096,
    periodicFlush: 200,
    maxLength: mostUnwritten,
  });
  if (file !== undefined) await once(sink, 'ready');
  // A full disk costs lines, not the service.
  sink.on('error', () => undefined);
  const format = settings.json ? jsonLine : textLine;
  const redact = redactor(settings.secrets);
  let { level: least } = settings;
  const write = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (!isLogged(level, least)) return;
    sink.write(`${redact(format(settings.program, level, message, ofRequest(fields)))}\n`);
  };
  return {
    setLevel: (level) => (least = level),
    debug: (message, fields) => write('DEBUG', message, fields),
    info: (message, fields) => write('INFO', message, fields),
    warn: (message, fields) => write('WARNING', message, fields),
    error: (message, fields) => write('ERROR', message, fields),
    flush: () => sink.flushSync(),
    reopen: () => {
      if (file !== undefined) sink.reopen(file);
    },
  };
}

/** With the request that is being worked on. What a line says of its request itself counts where that is not known. */
function ofRequest(fields: LogFields = {}): LogFields {
  const context = currentRequest();
  return context ? { ...fields, globalRequestId: undefined, ...context } : fields;
}

function textLine(program: string, level: LogLevel, message: string, fields: LogFields): string {
  const { requestId, globalRequestId, error, ...rest } = fields;
  const time = new Date().toISOString().replace('T', ' ').slice(0, -1);
  const ids = [globalRequestId, requestId].filter((id) => typeof id === 'string');
  const context = `[${ids.length > 0 ? ids.join(' ') : '-'}]`;
  let details = '';
  for (const key in rest) details += ` ${key}=${show(rest[key])}`;
  const trace = error === undefined ? '' : `\n${describe(error)}`;
  return `${time} ${process.pid} ${level} ${program} ${context} ${message}${details}${trace}`;
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : inspect(value, { breakLength: Infinity });
}

function jsonLine(program: string, level: LogLevel, message: string, fields: LogFields): string {
  const { requestId: request_id, globalRequestId: global_request_id, error, ...rest } = fields;
  const trace = error === undefined ? {} : { error: describe(error) };
  const head = { time: new Date().toISOString(), pid: process.pid, level, program, message };
  return JSON.stringify({ ...head, request_id, global_request_id, ...rest, ...trace });
}

/** Stack and causes. `inspect` alone would also print own properties, which may be whole requests. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describe(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
