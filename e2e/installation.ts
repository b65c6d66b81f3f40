import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mariadb, startMariadb } from '../tools/services/mariadb.js';
import { freePort } from '../tools/services/ports.js';
import { type Rabbitmq, startRabbitmq } from '../tools/services/rabbitmq.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type ServerProcess, startProcess } from '../tools/services/server-process.js';
import { run } from './command.js';
import { root } from './service.js';

type Program = 'glance-api' | 'glance-registry' | 'glance-scrubber';

/** A process of the service, which can end and begin again. */
export interface Part {
  /** Where it serves images, if it is an api. */
  readonly url: string;
  readonly port: number;
  /** Where it says how it is. */
  readonly adminUrl: string;
  /** The one that runs now. */
  readonly process: ServerProcess;
  /** Starts it again. Resolves when it is `ready`, or just `live`. */
  start(until?: 'ready' | 'live'): Promise<void>;
  /** From its next start on, the program is the one of another release, in this directory. */
  replace(release: string): void;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** A service of several processes, with a broker and a database of its own that may fail, too. */
export interface Installation {
  readonly mariadb: Mariadb;
  readonly rabbitmq: Rabbitmq;
  /** Of the database in `mariadb`. */
  readonly databaseUrl: string;
  readonly storeDirectory: string;
  readonly configFile: string;
  /**
   * Makes a process, and does not start it. `settings` are for the group [DEFAULT] of this one only, and so is its
   * further `environment`.
   */
  part(
    program: Program,
    settings?: Readonly<Record<string, string | number>>,
    environment?: Readonly<Record<string, string>>,
  ): Promise<Part>;
  /** The processes that were made. */
  readonly parts: readonly Part[];
  /** Kills all processes; their data is gone. */
  close(): Promise<void>;
}

export interface InstallationOptions {
  /** Further options of the group [DEFAULT]. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** How the processes reach the servers, where it is not straight. */
  readonly through?: (kind: 'broker' | 'database', url: string) => Promise<string>;
  /** A file of further groups, such as stores. */
  readonly more?: string;
  /** The directory of the programs, if they are not those of this tree. */
  readonly release?: string;
}

/** Broker and database, an empty schema, and a directory for image files; no process of the service yet. */
export async function install({
  settings = {},
  through = async (_, url) => url,
  more,
  release = root,
}: InstallationOptions = {}): Promise<Installation> {
  const directory = scratchDirectory('disk');
  const storeDirectory = join(directory.path, 'images');
  mkdirSync(storeDirectory);
  const [mariadb, rabbitmq] = await Promise.all([startMariadb(), startRabbitmq()]);
  const databaseUrl = await mariadb.createDatabase();
  const configFile = join(directory.path, 'glance-api.conf');
  const exchange = `glance_${randomBytes(4).toString('hex')}`;
  const lines = [
    '[DEFAULT]',
    'bind_host = 127.0.0.1',
    `transport_url = ${await through('broker', rabbitmq.url)}`,
    `control_exchange = ${exchange}`,
    'workers = 1',
    ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
    '[oslo_messaging_rabbit]',
    'rabbit_interval_max = 3',
    '[database]',
    `connection = ${await through('database', databaseUrl)}`,
    'retry_interval = 1',
    '[glance_store]',
    'stores = file',
    'default_store = file',
    `filesystem_store_datadir = ${storeDirectory}`,
    ...(more === undefined ? [] : [readFileSync(more, 'utf8')]),
  ];
  writeFileSync(configFile, `${lines.join('\n')}\n`);
  await run(join(release, 'bin/glance-manage'), ['--config-file', configFile, 'db', 'sync']);
  const parts: Part[] = [];
  return {
    mariadb,
    rabbitmq,
    databaseUrl,
    storeDirectory,
    configFile,
    parts,
    async part(program, own = {}, environment = {}) {
      const part = await makePart(program, { configFile, settings: own, environment, release });
      parts.push(part);
      return part;
    },
    async close() {
      await Promise.all(parts.map((part) => part.kill()));
      await Promise.all([mariadb.close(), rabbitmq.close()]);
      directory.remove();
    },
  };
}

async function makePart(
  program: Program,
  {
    configFile,
    settings,
    environment,
    release,
  }: {
    readonly configFile: string;
    readonly settings: Readonly<Record<string, string | number>>;
    readonly environment: Readonly<Record<string, string>>;
    readonly release: string;
  },
): Promise<Part> {
  const [port, adminPort] = await Promise.all([freePort(), freePort()]);
  const options = Object.entries({ bind_port: port, admin_port: adminPort, ...settings });
  const env = Object.fromEntries(options.map(([name, value]) => [`OS_DEFAULT__${name.toUpperCase()}`, String(value)]));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  let process: ServerProcess | undefined;
  let directory = release;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    adminUrl,
    get process() {
      return process!;
    },
    async start(until = 'ready') {
      process = await startProcess({
        command: join(directory, 'bin', program),
        args: ['--config-file', configFile, ...(program === 'glance-scrubber' ? ['-D'] : [])],
        env: { ...globalThis.process.env, ...env, ...environment },
        ready: () => says(adminUrl, until),
        patience: 60_000,
      });
    },
    replace(other) {
      directory = other;
    },
    async stop() {
      await process?.stop();
    },
    async kill() {
      await process?.kill();
    },
  };
}

/** Whether a process at this admin port says that it is `ready`, or `live`. */
export async function says(adminUrl: string, what: 'ready' | 'live'): Promise<boolean> {
  return fetch(`${adminUrl}/${what}`).then(
    ({ ok }) => ok,
    () => false,
  );
}
