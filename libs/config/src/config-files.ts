import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Given } from './given.js';
import { parseIni } from './ini-file.js';

/** A `--config-file` or `--config-dir`. */
export interface ConfigPath {
  readonly kind: 'file' | 'directory';
  readonly path: string;
}

/** What the files say, one list per file in the order in which later ones win, and what is wrong with them. */
export interface ConfigFiles {
  readonly files: readonly (readonly Given[])[];
  readonly problems: readonly string[];
  /** Where other files that options name are looked for, absolute, the nearest first. */
  readonly directories: readonly string[];
}

/**
 * Reads the files that were asked for. As in oslo.config, no `--config-file` means `<name>.conf` for those of `names`
 * that exist in `$OS_GLANCE_CONFIG_DIR` (`/etc/glance`), no `--config-dir` means `<name>.conf.d` there.
 */
export function readConfigFiles(
  asked: readonly ConfigPath[],
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): ConfigFiles {
  const directory = env.OS_GLANCE_CONFIG_DIR ?? '/etc/glance';
  const usual = [
    ...names.map((name): ConfigPath => ({ kind: 'file', path: join(directory, `${name}.conf`) })),
    ...names.map((name): ConfigPath => ({ kind: 'directory', path: join(directory, `${name}.conf.d`) })),
  ].filter(({ kind, path }) => existsSync(path) && !asked.some((other) => other.kind === kind));

  const files: (readonly Given[])[] = [];
  const problems: string[] = [];
  for (const { kind, path } of [...usual, ...asked]) {
    const expanded = atHome(path);
    try {
      for (const file of kind === 'file' ? [expanded] : confFiles(expanded)) {
        const parsed = parseIni(readText(file), file);
        files.push(parsed.given);
        problems.push(...parsed.problems);
      }
    } catch (error) {
      problems.push(`${expanded}: ${reason(error, kind)}`);
    }
  }
  const used = [...usual, ...asked].reverse();
  const directories = [
    ...used.filter(({ kind }) => kind === 'file').map(({ path }) => dirname(atHome(path))),
    ...used.filter(({ kind }) => kind === 'directory').map(({ path }) => atHome(path)),
    directory,
  ];
  return { files, problems, directories: [...new Set(directories.map((one) => resolve(one)))] };
}

function atHome(path: string): string {
  return path.replace(/^~(?=\/|$)/, () => homedir());
}

function confFiles(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.conf') && !name.startsWith('.'));
  return names.sort().map((name) => join(directory, name));
}

function readText(file: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
}

function reason(error: unknown, kind: ConfigPath['kind']): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return `no such ${kind}`;
    case 'EACCES':
      return 'this user may not read it';
    case 'EISDIR':
      return 'is a directory; --config-file takes a file, --config-dir a directory';
    case 'ENOTDIR':
      return 'is not a directory; --config-dir takes a directory, --config-file a file';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text';
    default:
      return message;
  }
}
