import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cephAdminSocket } from './ceph/ceph-admin-socket.js';
import { cephConfiguration } from './ceph/ceph-configuration.js';
import { cephKeyrings } from './ceph/ceph-keyrings.js';
import { freePort } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);
const pool = 'images';
/** For the tests of the binding: those of the driver look at all that is in the other. */
const poolOfBinding = 'bindings';

interface CephDaemon {
  /** Starts it, with the data that it had, and waits until it does its work. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
  /** SIGSTOP makes it hang with open connections; SIGCONT ends that. */
  signal(name: NodeJS.Signals): void;
}

export interface Ceph {
  /** Path of its ceph.conf, which says where the keyrings of its users are. */
  readonly conf: string;
  readonly fsid: string;
  readonly pool: string;
  /** May do with the pool what `profile rbd` allows; `glance-old` has the caps of older guides instead. */
  readonly user: string;
  /** Path of the user's keyring, and of the administrator's. */
  readonly keyring: string;
  readonly adminKeyring: string;
  readonly mon: CephDaemon;
  readonly osd: CephDaemon;
  /** Only what looks at used space needs it: quotas and statistics. Not running at first. */
  readonly mgr: CephDaemon;
  /** Run the tool of that name as the administrator and answer with what it prints. */
  ceph(...args: string[]): Promise<string>;
  rbd(...args: string[]): Promise<string>;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

/** A Ceph cluster of one's own: a monitor and an OSD in memory, with a pool for images. Ready in three seconds. */
export async function startCeph(): Promise<Ceph> {
  const directory = scratchDirectory('memory');
  const at = (...names: string[]): string => join(directory.path, ...names);
  const fsid = randomUUID();
  const ports = { v2: await freePort(), v1: await freePort() };
  await prepare(directory.path, fsid, ports);

  const tool = async (name: string, ...args: string[]): Promise<string> => {
    const all = ['-c', at('ceph.conf'), '-n', 'client.admin', ...args];
    return (await run(name, all, { env: environment(), timeout: 60_000 })).stdout;
  };
  const is = (daemon: string, command: string, state: string) => async (): Promise<boolean> => {
    const status = await cephAdminSocket(at('run', `${daemon}.asok`), command).catch(() => ({}));
    return 'state' in status && status.state === state;
  };
  const mon = daemon(directory.path, 'mon', 'a', is('mon.a', 'mon_status', 'leader'));
  const osd = daemon(directory.path, 'osd', '0', is('osd.0', 'status', 'active'));
  const hasStatistics = async (): Promise<boolean> =>
    !(await tool('ceph', 'df', '-f', 'json')).includes('"total_bytes":0,');
  const mgr = daemon(directory.path, 'mgr', 'x', hasStatistics);

  try {
    await mon.start();
    await createPool(at('ceph.conf'), tool, osd);
  } catch (error) {
    await Promise.all([mon.kill(), osd.kill()]);
    directory.remove();
    throw error;
  }
  return {
    conf: at('ceph.conf'),
    fsid,
    pool,
    user: 'glance',
    keyring: at('ceph.client.glance.keyring'),
    adminKeyring: at('ceph.client.admin.keyring'),
    mon,
    osd,
    mgr,
    ceph: (...args) => tool('ceph', ...args),
    rbd: (...args) => tool('rbd', ...args),
    async close() {
      // Nothing needs to be saved.
      await Promise.all([mgr.kill(), osd.kill(), mon.kill()]);
      directory.remove();
    },
  };
}

/** Everything that the daemons need to start for the first time. */
async function prepare(directory: string, fsid: string, ports: { v2: number; v1: number }): Promise<void> {
  const at = (...names: string[]): string => join(directory, ...names);
  for (const name of ['run', 'log', 'mon', 'osd', 'mgr']) await mkdir(at(name));
  await writeFile(at('ceph.conf'), cephConfiguration(directory, fsid, ports));
  const keyrings = cephKeyrings();
  await writeFile(at('all.keyring'), keyrings.all, { mode: 0o600 });
  for (const [name, keyring] of keyrings.own) {
    const file = name.startsWith('client.') ? `ceph.${name}.keyring` : `${name.replace(/\.$/, '')}.keyring`;
    await writeFile(at(file), keyring, { mode: 0o600 });
  }
  const address = `[v2:127.0.0.1:${ports.v2},v1:127.0.0.1:${ports.v1}]`;
  const release = ['--set-min-mon-release', 'pacific'];
  await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', address, ...release, at('monmap')]);
  const options = ['-c', at('ceph.conf'), '--monmap', at('monmap'), '--keyring', at('all.keyring')];
  const { stderr } = await run('ceph-mon', ['-i', 'a', '--mkfs', ...options], { env: environment() });
  // It also ends with 0 when it has done nothing.
  if (!existsSync(at('mon', 'store.db'))) throw new Error(`ceph-mon --mkfs made no monitor:\n${stderr}`);
}

async function createPool(
  conf: string,
  tool: (name: string, ...args: string[]) => Promise<string>,
  osd: CephDaemon,
): Promise<void> {
  const uuid = randomUUID();
  const commands = [`osd new ${uuid} 0`, `osd pool create ${pool} 8 8`, `osd pool create ${poolOfBinding} 8 8`].join(
    '\n',
  );
  await Promise.all([
    run('ceph-osd', ['-i', '0', '-c', conf, '--mkfs', '--osd-uuid', uuid], { env: environment() }),
    cephCommands(conf, commands),
  ]);
  await osd.start();
  await Promise.all([pool, poolOfBinding].map((name) => tool('rbd', 'pool', 'init', name)));
}

/** One `ceph` for all commands: most of its time goes into starting. */
async function cephCommands(conf: string, commands: string): Promise<void> {
  const ceph = spawn('ceph', ['-c', conf, '-n', 'client.admin', '--connect-timeout', '30'], { env: environment() });
  const output = Promise.all([text(ceph.stdout), text(ceph.stderr)]);
  ceph.stdin.end(`${commands}\n`);
  const code = await new Promise((resolve, reject) => ceph.once('exit', resolve).once('error', reject));
  if (code !== 0) throw new Error(`ceph refused:\n${(await output).join('')}`);
}

function daemon(directory: string, kind: string, id: string, ready: () => Promise<boolean>): CephDaemon {
  let server: ServerProcess | undefined;
  return {
    async start() {
      await rm(join(directory, 'run', `${kind}.${id}.asok`), { force: true });
      server = await startProcess({
        command: `ceph-${kind}`,
        // In the foreground: what goes into the background outlives a test run that is killed.
        args: ['-f', '-i', id, '-c', join(directory, 'ceph.conf')],
        env: environment(),
        cwd: directory,
        ready,
        patience: 60_000,
      });
    },
    async stop() {
      await server?.stop();
    },
    async kill() {
      await server?.kill();
    },
    signal: (name) => server?.signal(name),
  };
}

/** Without what would point the tools at another cluster. */
function environment(): NodeJS.ProcessEnv {
  const { CEPH_ARGS: _args, CEPH_CONF: _conf, CEPH_KEYRING: _keyring, ...rest } = process.env;
  return { ...rest, PYTHONDONTWRITEBYTECODE: '1' };
}
