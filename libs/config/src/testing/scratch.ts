import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseCommandLine } from '../command-line.js';
import { ConfigError } from '../config-error.js';
import type { Config } from '../config.js';
import type { Declaration } from '../declaration.js';
import { load, type LoadRequest } from '../load.js';
import type { Program } from '../program.js';

/** A directory of configuration files that goes away with `using`, and a program that is started in it. */
export class Scratch implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'glance-config-'));

  constructor(files: Readonly<Record<string, string | Buffer>> = {}) {
    for (const [name, content] of Object.entries(files)) this.write(name, content);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, content: string | Buffer): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  /** As `glance-api` with this directory in the place of `/etc/glance`; `@/` in an argument is this directory. */
  async load(
    declarations: readonly Declaration[],
    {
      argv = [],
      env = {},
      more,
    }: { argv?: readonly string[]; env?: NodeJS.ProcessEnv; more?: LoadRequest['more'] } = {},
  ): Promise<Config> {
    const program: Program = {
      name: 'glance-api',
      version: '1',
      summary: 'Test.',
      configFiles: ['glance-image-import', 'glance-api'],
      declarations,
    };
    const commandLine = parseCommandLine(
      program,
      argv.map((word) => word.replace('@/', `${this.directory}/`)),
    );
    if ('exitCode' in commandLine) throw new Error(commandLine.output);
    const base = { OS_GLANCE_CONFIG_DIR: this.directory, ...env };
    return load({ program, commandLine, env: base, ...(more && { more }) });
  }

  /** What is wrong, without this directory's name. */
  async problems(...request: Parameters<Scratch['load']>): Promise<string[]> {
    const error: unknown = await this.load(...request).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) return [];
    if (!(error instanceof ConfigError)) throw error as Error;
    return error.problems.map((problem) => this.shorten(problem));
  }

  /** The warnings, without this directory's name. */
  async warnings(...request: Parameters<Scratch['load']>): Promise<string[]> {
    const config = await this.load(...request);
    return config.warnings.map((warning) => this.shorten(warning));
  }

  shorten(text: string): string {
    return text.replaceAll(`${this.directory}/`, '').replaceAll(this.directory, '.');
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
