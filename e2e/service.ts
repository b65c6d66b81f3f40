import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../tools/services/ports.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type ServerCommand, type ServerProcess, startProcess } from '../tools/services/server-process.js';
import { run } from './command.js';
import { until } from './until.js';

/**
 * Whose service the tests look at. `debian-glance` runs the Glance of Debian's package glance-api instead of ours, to
 * prove that a test asks for nothing that Glance does not do.
 */
export const target = process.env['E2E_TARGET'] === 'debian-glance' ? 'debian-glance' : 'ours';

/**
 * How ours is run: `one` process with SQLite, or `three` (api, registry, scrubber) with RabbitMQ and MariaDB, which are
 * found by GLANCE_TEST_RABBIT and GLANCE_TEST_MYSQL.
 */
const deployment = target === 'ours' && process.env['E2E_DEPLOYMENT'] === 'three' ? 'three' : 'one';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Service {
  readonly url: string;
  readonly port: number;
  /** Where its file store keeps the data of images. */
  readonly storeDirectory: string;
  /** The api's process that runs now. */
  readonly process: ServerProcess;
  /** All processes that run now: the api first, then, of three, the registry and the scrubber. */
  readonly processes: readonly ServerProcess[];
  readonly configFile: string;
  /** Starts it again with the same database, store and port. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  /** A directory of the caller's for the data of images. */
  readonly storeDirectory?: string;
  /** A free port, if the caller has to know it before. */
  readonly port?: number;
  /** Further options of the group [DEFAULT]. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Further groups. */
  readonly groups?: Configuration;
}

type Configuration = Record<string, Record<string, string | number>>;

/** A service of one's own with an empty database and a file store, everybody an administrator. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const given = process.env['E2E_URL'];
  if (given) return serviceAt(given);
  const directory = scratchDirectory('disk');
  const port = options.port ?? (await freePort());
  const storeDirectory = options.storeDirectory ?? join(directory.path, 'images');
  mkdirSync(storeDirectory, { recursive: true });
  const url = `http://127.0.0.1:${port}`;
  const configFile = join(directory.path, 'glance-api.conf');
  const configuration = await configure(directory.path, port, storeDirectory, options);
  writeFileSync(configFile, toIni(configuration));
  await run(command('glance-manage'), ['--config-file', configFile, 'db', 'sync'], { cwd: directory.path });

  const launch = (program: string, ready: ServerCommand['ready'], args: readonly string[] = []) =>
    startProcess({
      command: command(program),
      args: ['--config-file', configFile, ...args],
      cwd: directory.path,
      ready,
    });
  const start = async (): Promise<void> => {
    const api = launch('glance-api', () => isHealthy(url));
    const others =
      deployment === 'three' ? [launch('glance-registry', always), launch('glance-scrubber', always, ['-D'])] : [];
    processes = await Promise.all([api, ...others]);
    // Three processes are one service once the api reaches the registry.
    await until('the service answers', async () => (await fetch(`${url}/v2/images?limit=1`)).status < 500);
  };
  let processes: ServerProcess[] = [];
  await start();
  return {
    url,
    port,
    storeDirectory,
    configFile,
    get process() {
      return processes[0]!;
    },
    get processes() {
      return processes;
    },
    start,
    async stop() {
      for (const process of processes) await process.stop();
    },
    async kill() {
      await Promise.all(processes.map((process) => process.kill()));
    },
    async close() {
      await Promise.all(processes.map((process) => process.kill()));
      directory.remove();
    },
  };
}

/** Somebody else's service: it can be asked, but not started, killed or looked into. */
function serviceAt(url: string): Service {
  const outOfReach = (): never => {
    throw new Error(`This test needs a service of its own, and E2E_URL=${url} is not.`);
  };
  return {
    url,
    port: Number(new URL(url).port || 80),
    get storeDirectory() {
      return outOfReach();
    },
    get process() {
      return outOfReach();
    },
    get processes() {
      return outOfReach();
    },
    get configFile() {
      return outOfReach();
    },
    start: outOfReach,
    stop: outOfReach,
    kill: outOfReach,
    close: async () => undefined,
  };
}

const always = async (): Promise<boolean> => true;

/** Whether a service answers at this URL. */
export async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/healthcheck`).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Where a program of the service is. */
export function command(name: string): string {
  return target === 'ours' ? join(root, 'bin', name) : join('/usr/bin', name);
}

async function configure(
  directory: string,
  port: number,
  storeDirectory: string,
  { settings = {}, groups = {} }: ServiceOptions,
): Promise<Configuration> {
  const both: Configuration = {
    DEFAULT: {
      bind_host: '127.0.0.1',
      bind_port: port,
      workers: 1,
      node_staging_uri: `file://${directory}/staging`,
      ...(await messaging()),
      ...settings,
    },
    database: { connection: await connection(directory) },
    glance_store: { stores: 'file', default_store: 'file', filesystem_store_datadir: storeDirectory },
    ...groups,
  };
  return target === 'ours' ? both : { ...both, ...debianGlance(directory) };
}

/** Queues of its own on the broker that all services of this run share. */
async function messaging(): Promise<Record<string, string>> {
  if (deployment === 'one') return {};
  return {
    transport_url: process.env['GLANCE_TEST_RABBIT']!,
    control_exchange: `glance_${randomBytes(4).toString('hex')}`,
  };
}

/** An empty database of its own. */
async function connection(directory: string): Promise<string> {
  if (deployment === 'one') return `sqlite:///${directory}/glance.sqlite`;
  const server = new URL(process.env['GLANCE_TEST_MYSQL']!.replace('mysql+pymysql:', 'http:'));
  const name = `e2e_${randomBytes(4).toString('hex')}`;
  const login = ['-h', server.hostname, '-P', server.port, `-u${server.username}`, `-p${server.password}`];
  await run('mariadb', ['--no-defaults', ...login, '-e', `CREATE DATABASE ${name} CHARACTER SET utf8`]);
  return `mysql+pymysql://${server.username}:${server.password}@${server.host}/${name}?charset=utf8`;
}

/** What Debian's Glance needs to run outside of its own directories, and to let the caller without a login do all. */
function debianGlance(directory: string): Configuration {
  const policyFile = join(directory, 'policy.yaml');
  const rules = ['context_is_admin', 'publicize_image', 'communitize_image', 'metadef_admin'];
  writeFileSync(policyFile, rules.map((rule) => `"${rule}": "@"\n`).join(''));
  return {
    paste_deploy: { config_file: '/usr/share/glance-common/glance-api-paste.ini' },
    oslo_concurrency: { lock_path: directory },
    oslo_policy: { policy_file: policyFile },
  };
}

function toIni(configuration: Configuration): string {
  const group = ([name, options]: [string, Record<string, string | number>]): string =>
    [`[${name}]`, ...Object.entries(options).map(([key, value]) => `${key} = ${value}`), ''].join('\n');
  return Object.entries(configuration).map(group).join('\n');
}
