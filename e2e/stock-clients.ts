import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type CommandResult, run } from './command.js';
import { runClient } from './python-clients.js';

export interface StockClients {
  /** Where the clients keep their own files, and tests theirs. */
  readonly directory: string;
  /** Runs `glance` and answers with what it prints. */
  glance(...args: string[]): Promise<string>;
  /** As `glance`, for commands that are to fail. */
  glanceFails(...args: string[]): Promise<CommandResult>;
  /** As `glance`, and it may keep the schema of images in its home directory and rely on that from then on. */
  glanceWithSchema(...args: string[]): Promise<string>;
  /** As `glance`, on a terminal: what it prints is for eyes. */
  glanceOnTerminal(...args: string[]): Promise<string>;
  /** Runs `openstack` and answers with what it prints. */
  openstack(...args: string[]): Promise<string>;
  /** As `openstack`, its output parsed. */
  openstackJson(...args: string[]): Promise<unknown>;
  /** Runs a Python script with a clouds.yaml that names the service `here`, and answers with the JSON it prints. */
  python(script: string, ...args: string[]): Promise<unknown>;
  close(): void;
}

/** Debian's OpenStack clients, unmodified, pointed at a service without a login. */
export function stockClients(url: string): StockClients {
  const directory = scratchDirectory('disk');
  const home = join(directory.path, 'home');
  const schemaHome = join(directory.path, 'home-with-schema');
  mkdirSync(home);
  mkdirSync(schemaHome);
  writeFileSync(join(home, 'clouds.yaml'), cloudsYaml(url));
  const options = { cwd: directory.path, env: environment(url, home) };
  const openstack = async (args: string[]): Promise<string> =>
    // openstack: stumbles over a standard input that is closed; an empty one it uploads.
    (
      await runClient('openstack', ['--os-auth-type', 'none', '--os-endpoint', url, ...args], {
        ...options,
        input: 'empty',
      })
    ).stdout;
  return {
    directory: directory.path,
    glance: async (...args) => (await runClient('glance', args, options)).stdout,
    glanceFails: (...args) => runClient('glance', args, { ...options, failure: 'answer' }),
    glanceWithSchema: async (...args) =>
      (
        await runClient('glance', args, {
          ...options,
          env: { ...options.env, OS_IMAGE_API_VERSION: '', HOME: schemaHome },
        })
      ).stdout,
    glanceOnTerminal: async (...args) =>
      (await run('script', ['-qec', ['glance', ...args].join(' '), '/dev/null'], { ...options, input: 'empty' }))
        .stdout,
    openstack: (...args) => openstack(args),
    openstackJson: async (...args) => JSON.parse(await openstack([...args, '-f', 'json'])) as unknown,
    python: async (script, ...args) =>
      JSON.parse((await run('/usr/bin/python3', [script, ...args], options)).stdout) as unknown,
    close: () => directory.remove(),
  };
}

/** Rows of a table as the clients print it, without its head. */
export function tableRows(output: string): string[][] {
  const lines = output.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(1).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** A table of properties and values; a value that takes several lines is put together. */
export function tableRecord(output: string): Record<string, string> {
  const record: Record<string, string> = {};
  let last = '';
  for (const [property, value] of tableRows(output)) {
    if (property) last = property;
    record[last] = (record[last] ?? '') + (value ?? '');
  }
  return record;
}

function environment(url: string, home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: home,
    OS_CLIENT_CONFIG_FILE: join(home, 'clouds.yaml'),
    OS_IMAGE_URL: url,
    // glance wants a token, whatever it is.
    OS_AUTH_TOKEN: 'none',
    // Told the version, glance does not keep the schema of images in its home directory.
    OS_IMAGE_API_VERSION: '2',
  };
}

function cloudsYaml(url: string): string {
  return `clouds:\n  here:\n    auth_type: none\n    auth:\n      endpoint: ${url}\n`;
}
