import { writeFile, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { end, lastWords, run, startServer, temporaryDirectory } from './children.js';
import type { Endpoint } from './connection.js';
import { type LoopDelay, askLoopDelay } from './loop-delay.js';

/** A running Glance v2 service. */
export interface Target extends Endpoint {
  readonly name: string;
  /** Before `/v2/…`. */
  readonly path: string;
  /** Lines of an HTTP head, the last one ended. */
  readonly headers: string;
  /** Whose CPU time and memory count, with all descendants; none if the service is not on this machine. */
  readonly pids: readonly number[];
  /** The database and the broker that it alone keeps busy: their CPU time counts as its own. */
  readonly servers?: readonly number[];
  /** Started by us, so that nothing needs to be tidied up in it. */
  readonly own: boolean;
  /** Where its file store must keep images, if we have configured it. */
  readonly imageDirectory?: string;
  /** The delay of its event loop since the last call, if it is one that we started. */
  loopDelay(): Promise<LoopDelay | undefined>;
}

interface ConfigurationChanges {
  /** Of the database; SQLite if absent. */
  readonly connection?: string;
  /** Of the broker; if present, the registry is a process of its own. */
  readonly transportUrl?: string;
  /** Processes of the api; 1 if absent. */
  readonly workers?: number;
  /** Content of the group `[glance_store]`, if it is not to be a directory of files. */
  readonly store?: string;
  /** More of the file. */
  readonly lines?: string;
}

/** What `startOurs` started. */
export interface OurService {
  readonly target: Target;
  /** Present with a broker. */
  readonly registryPid?: number;
  /** Seconds from the start of each process until it was ready. */
  readonly startSeconds: Readonly<Record<string, number>>;
  /** Adds to an error what the service can say about it. */
  explain(error: unknown): Promise<Error>;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Starts the service the way an operator does, without authentication, on a file store in `directory`; as one process
 * on SQLite if `changes` do not say otherwise. With `profiles`, a CPU profile of each process lands there when it stops.
 */
export async function startOurs(
  directory: string,
  profiles: string | undefined,
  changes: ConfigurationChanges = {},
): Promise<OurService> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const config = join(directory, 'glance-api.conf');
  await mkdir(join(directory, 'images'));
  await writeFile(config, configuration(directory, port, changes));
  await run(join(root, 'bin/glance-manage'), ['--config-file', config, 'db', 'sync']);

  // Unix sockets have short names only, so not in a directory that somebody chose.
  const sockets = await temporaryDirectory('/tmp');
  const preload = fileURLToPath(new URL('loop-delay.mjs', import.meta.url));
  const profile = profiles === undefined ? '' : ` --cpu-prof --cpu-prof-dir=${profiles}`;
  const watched = { NODE_OPTIONS: `--import=${preload}${profile}`, GLANCE_BENCH_LOOP_DELAY: sockets };
  const launch = async (program: string, url: string, own: NodeJS.ProcessEnv = {}): Promise<Launched> => {
    const begin = performance.now();
    const log = join(directory, `${program}.log`);
    const env = { ...process.env, ...watched, ...own };
    const server = startServer(join(root, 'bin', program), ['--config-file', config], { log, env });
    const early = server.ended.then((how) => {
      throw new Error(`${how}\n${lastWords(log)}`);
    });
    await Promise.race([answers(url), early]);
    return { ...server, log, seconds: (performance.now() - begin) / 1000 };
  };
  const registry =
    changes.transportUrl === undefined
      ? undefined
      : await launch('glance-registry', `http://127.0.0.1:${adminPort}/ready`, {
          OS_DEFAULT__ADMIN_PORT: String(adminPort),
        });
  const endpoint = { host: '127.0.0.1', port };
  const api = await launch('glance-api', `http://127.0.0.1:${port}/v2/images?limit=1`);
  const processes = registry ? [api, registry] : [api];
  return {
    target: {
      ...endpoint,
      name: 'ours',
      path: '',
      headers: headers(endpoint, undefined),
      pids: processes.map(({ child }) => child.pid!),
      own: true,
      ...(changes.store === undefined && { imageDirectory: join(directory, 'images') }),
      loopDelay: () => askLoopDelay(sockets),
    },
    ...(registry && { registryPid: registry.child.pid! }),
    startSeconds: { api: api.seconds, ...(registry && { registry: registry.seconds }) },
    explain: async (error) => {
      // A client may notice the end of a server sooner than its parent.
      const hows = processes.map(({ ended }) => Promise.race([ended, delay(500, 'It is still running.')]));
      const ends = (await Promise.all(hows)).map((how, n) => `${how} Its log ends:\n${lastWords(processes[n]!.log)}`);
      return new Error([error instanceof Error ? error.message : String(error), ...ends].join('\n\n'));
    },
    async stop() {
      for (const { child } of processes) await end(child);
    },
  };
}

type Launched = ReturnType<typeof startServer> & { readonly log: string; readonly seconds: number };

/** A service that runs already. */
export async function attach(url: string, token: string | undefined, pids: readonly number[]): Promise<Target> {
  const { protocol, hostname, port, pathname } = new URL(url);
  if (protocol !== 'http:') throw new Error(`--against takes an http:// address, not ${url}.`);
  const endpoint = { host: hostname, port: Number(port || 80) };
  // `/v2` at the end is how some write the endpoint.
  const path = pathname.replace(/\/(v2\/?)?$/, '');
  await answers(`http://${hostname}:${endpoint.port}${path}/`);
  return {
    ...endpoint,
    name: 'other',
    path,
    headers: headers(endpoint, token),
    pids,
    own: false,
    loopDelay: () => Promise.resolve(undefined),
  };
}

function configuration(
  directory: string,
  port: number,
  { connection, transportUrl, workers = 1, store, lines = '' }: ConfigurationChanges,
): string {
  return `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = ${workers}
log_dir = ${directory}
node_staging_uri = file://${directory}/staging
${transportUrl === undefined ? '' : `transport_url = ${transportUrl}`}
[database]
connection = ${connection ?? `sqlite:///${directory}/glance.sqlite`}
[glance_store]
${store ?? `stores = file\nfilesystem_store_datadir = ${directory}/images`}
[import_filtering_opts]
allowed_ports = []
allowed_networks = 127.0.0.0/8
[image_import_opts]
image_import_plugins = image_conversion
${lines}`;
}

function headers(endpoint: Endpoint, token: string | undefined): string {
  const lines = [`Host: ${endpoint.host}:${endpoint.port}`, 'User-Agent: glance-bench', 'Accept: */*'];
  if (token !== undefined) lines.push(`X-Auth-Token: ${token}`);
  return lines.map((line) => `${line}\r\n`).join('');
}

/** Waits until something at `url` answers as if all were well. */
async function answers(url: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      const { status, body } = await fetch(url);
      await body?.cancel();
      // A list without a token is refused by a service that works.
      if (status < 500) return;
      throw new Error(`It answers ${status}.`);
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`Nothing answers at ${url}.`, { cause: error });
      await delay(20);
    }
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('The system gave no port.');
  return address.port;
}
