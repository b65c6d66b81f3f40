import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);

export interface Rabbitmq {
  /** `rabbit://guest:guest@127.0.0.1:port/` */
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Runs `rabbitmqctl` for it. */
  control(...args: readonly string[]): Promise<unknown>;
  /** SIGSTOP leaves its connections open and silent, until SIGCONT. */
  signal(name: NodeJS.Signals): void;
  /** Starts it again, on the same port with the same durable queues. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

/** A RabbitMQ server of one's own, on its own ports and data directory. Takes three seconds of one core to start. */
export async function startRabbitmq(): Promise<Rabbitmq> {
  const directory = scratchDirectory('memory');
  const port = await freePort();
  const names = await startNames(directory.path);
  const env = await environment(directory.path, port, names.port);
  let server: ServerProcess | undefined;

  const rabbitmq: Rabbitmq = {
    url: `rabbit://guest:guest@127.0.0.1:${port}/`,
    get pid() {
      return server!.pid;
    },
    async start() {
      server = await startProcess({
        // Debian's wrapper in /usr/sbin changes to another user; this one does not.
        command: '/usr/lib/rabbitmq/bin/rabbitmq-server',
        args: [],
        env,
        cwd: directory.path,
        ready: () => listens(port),
        patience: 60_000,
      });
    },
    control: (...args) => run('/usr/lib/rabbitmq/bin/rabbitmqctl', args, { env }),
    signal: (name) => server?.signal(name),
    async stop() {
      await server?.stop();
    },
    async kill() {
      await server?.kill();
    },
    async close() {
      await server?.stop();
      await names.process.kill();
      directory.remove();
    },
  };
  await rabbitmq.start();
  return rabbitmq;
}

/** Erlang nodes register with epmd. A server without one starts it in the background, where it stays for ever. */
async function startNames(directory: string): Promise<{ port: number; process: ServerProcess }> {
  const port = await freePort();
  const process = await startProcess({
    command: 'epmd',
    args: ['-address', '127.0.0.1', '-port', String(port)],
    cwd: directory,
    ready: () => listens(port),
  });
  return { port, process };
}

async function environment(directory: string, port: number, namesPort: number): Promise<NodeJS.ProcessEnv> {
  const home = join(directory, 'home');
  await mkdir(home);
  await writeFile(join(directory, 'enabled-plugins'), '[].\n');
  await writeFile(join(directory, 'rabbitmq.conf'), configuration(port));
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    // Here lies the cookie that lets Erlang nodes talk to each other.
    HOME: home,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(namesPort),
    // The name of this machine may not resolve; localhost does.
    RABBITMQ_NODENAME: `test-${port}@localhost`,
    RABBITMQ_DIST_PORT: String(await freePort()),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled-plugins'),
    RABBITMQ_MNESIA_BASE: join(directory, 'data'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    // The script then becomes the server, instead of staying as its parent; it would open a shell but for -noinput.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-noinput',
    // Two servers bound to the same cores would wait for each other.
    RABBITMQ_SCHEDULER_BIND_TYPE: 'u',
  };
}

function configuration(port: number): string {
  return [
    `listeners.tcp.default = 127.0.0.1:${port}`,
    'log.file = false',
    'log.console = true',
    'log.console.level = warning',
    'disk_free_limit.absolute = 10MB',
    // Written out in full at the start.
    'raft.wal_max_size_bytes = 4194304',
    '',
  ].join('\n');
}
