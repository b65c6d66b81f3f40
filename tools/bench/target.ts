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
  /** Started by us, so that nothing needs to be tidied up in it. */
  readonly own: boolean;
  /** Where its file store must keep images, if we have configured it. */
  readonly imageDirectory?: string;
  /** From the start of its process to the first answer. */
  readonly startSeconds?: number;
  /** The delay of its event loop since the last call, if it is one that we started. */
  loopDelay(): Promise<LoopDelay | undefined>;
}

interface ConfigurationChanges {
  /** Of the database; SQLite if absent. */
  readonly connection?: string;
  /** More of the file. */
  readonly lines?: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Starts the service the way an operator does, without authentication, on SQLite and a file store in `directory`.
 * `explain` adds to an error what the service can say about it. With `profiles`, a CPU profile lands there when it stops.
 */
export async function startOurs(
  directory: string,
  profiles: string | undefined,
  changes: ConfigurationChanges = {},
): Promise<{ target: Target; explain: (error: unknown) => Promise<Error>; stop: () => Promise<void> }> {
  const port = await freePort();
  const config = join(directory, 'glance-api.conf');
  await mkdir(join(directory, 'images'));
  await writeFile(config, configuration(directory, port, changes));
  await run(join(root, 'bin/glance-manage'), ['--config-file', config, 'db', 'sync']);

  // Unix sockets have short names only, so not in a directory that somebody chose.
  const sockets = await temporaryDirectory('/tmp');
  const preload = fileURLToPath(new URL('loop-delay.mjs', import.meta.url));
  const profile = profiles === undefined ? '' : ` --cpu-prof --cpu-prof-dir=${profiles}`;
  const begin = performance.now();
  const log = join(directory, 'glance-api.log');
  const { child, ended } = startServer(join(root, 'bin/glance-api'), ['--config-file', config], {
    log,
    env: { ...process.env, NODE_OPTIONS: `--import=${preload}${profile}`, GLANCE_BENCH_LOOP_DELAY: sockets },
  });
  const endpoint = { host: '127.0.0.1', port };
  await Promise.race([
    answers(endpoint, ''),
    ended.then((how) => {
      throw new Error(`${how}\n${lastWords(log)}`);
    }),
  ]);
  const target: Target = {
    ...endpoint,
    name: 'ours',
    path: '',
    headers: headers(endpoint, undefined),
    pids: [child.pid!],
    own: true,
    imageDirectory: join(directory, 'images'),
    startSeconds: (performance.now() - begin) / 1000,
    loopDelay: () => askLoopDelay(sockets),
  };
  const explain = async (error: unknown) => {
    // A client may notice the end of a server sooner than its parent.
    const how = await Promise.race([ended, delay(500, 'The service is still running.')]);
    const what = error instanceof Error ? error.message : String(error);
    return new Error(`${what}\n\n${how} Its log ends:\n${lastWords(log)}`);
  };
  return { target, explain, stop: () => end(child) };
}

/** A service that runs already. */
export async function attach(url: string, token: string | undefined, pids: readonly number[]): Promise<Target> {
  const { protocol, hostname, port, pathname } = new URL(url);
  if (protocol !== 'http:') throw new Error(`--against takes an http:// address, not ${url}.`);
  const endpoint = { host: hostname, port: Number(port || 80) };
  // `/v2` at the end is how some write the endpoint.
  const path = pathname.replace(/\/(v2\/?)?$/, '');
  await answers(endpoint, path);
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

function configuration(directory: string, port: number, { connection, lines = '' }: ConfigurationChanges): string {
  return `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
log_file = ${directory}/glance-api.log
node_staging_uri = file://${directory}/staging
[database]
connection = ${connection ?? `sqlite:///${directory}/glance.sqlite`}
[glance_store]
stores = file
filesystem_store_datadir = ${directory}/images
${lines}`;
}

function headers(endpoint: Endpoint, token: string | undefined): string {
  const lines = [`Host: ${endpoint.host}:${endpoint.port}`, 'User-Agent: glance-bench', 'Accept: */*'];
  if (token !== undefined) lines.push(`X-Auth-Token: ${token}`);
  return lines.map((line) => `${line}\r\n`).join('');
}

async function answers(endpoint: Endpoint, path: string): Promise<void> {
  const url = `http://${endpoint.host}:${endpoint.port}${path}/`;
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      await fetch(url);
      return;
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
