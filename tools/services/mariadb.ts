import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);

export interface Mariadb {
  /** `mysql+pymysql://user:password@127.0.0.1:port/`, of an account that may do everything. */
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Makes an empty database and answers with its URL. */
  createDatabase(): Promise<string>;
  /** Runs SQL as the administrator and answers with the rows, columns separated by tabs. */
  execute(sql: string): Promise<string>;
  /** SIGSTOP leaves its connections open and silent, until SIGCONT. */
  signal(name: NodeJS.Signals): void;
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL: what is committed is there after the next start. */
  kill(): Promise<void>;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

/** A MariaDB server of one's own, on its own port and data directory. Ready in about a second. */
export async function startMariadb(): Promise<Mariadb> {
  const directory = scratchDirectory('memory');
  const port = await freePort();
  const socket = join(directory.path, 'socket');
  const accounts = join(directory.path, 'accounts.sql');
  await install(directory.path);
  // A file for --init-file has one statement per line.
  await writeFile(
    accounts,
    `CREATE USER IF NOT EXISTS glance@'%' IDENTIFIED BY 'glance';\nGRANT ALL ON *.* TO glance@'%' WITH GRANT OPTION;\n`,
  );
  const url = `mysql+pymysql://glance:glance@127.0.0.1:${port}/`;
  const execute = (sql: string): Promise<string> => query(socket, sql);
  let server: ServerProcess | undefined;

  const mariadb: Mariadb = {
    url,
    get pid() {
      return server!.pid;
    },
    execute,
    async createDatabase() {
      const name = `glance_${randomBytes(4).toString('hex')}`;
      await execute(`CREATE DATABASE ${name} CHARACTER SET utf8`);
      return url + name;
    },
    async start() {
      server = await startProcess({
        command: 'mariadbd',
        args: serverOptions(directory.path, port, socket, accounts),
        ready: () => execute('SELECT 1').then(Boolean, () => false),
      });
    },
    signal: (name) => server?.signal(name),
    async stop() {
      await server?.stop();
    },
    async kill() {
      await server?.kill();
    },
    async close() {
      await server?.stop();
      directory.remove();
    },
  };
  await mariadb.start();
  return mariadb;
}

// A server that starts removes the temporary tables in its `tmpdir`: in a common one, those of the others.
function install(directory: string): Promise<unknown> {
  return run('mariadb-install-db', [
    '--no-defaults',
    `--datadir=${join(directory, 'data')}`,
    `--tmpdir=${directory}`,
    '--user=root',
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--innodb-log-file-size=16M',
  ]);
}

function serverOptions(directory: string, port: number, socket: string, initFile: string): string[] {
  return [
    '--no-defaults',
    `--datadir=${join(directory, 'data')}`,
    `--tmpdir=${directory}`,
    '--user=root',
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--socket=${socket}`,
    `--pid-file=${join(directory, 'pid')}`,
    `--init-file=${initFile}`,
    '--skip-name-resolve',
    '--innodb-log-file-size=16M',
    '--innodb-buffer-pool-size=128M',
    '--max-connections=500',
    // As Debian's own configuration has it.
    '--character-set-server=utf8mb4',
    '--collation-server=utf8mb4_general_ci',
  ];
}

async function query(socket: string, sql: string): Promise<string> {
  const options = ['--no-defaults', `--socket=${socket}`, '--user=root', '--batch', '--skip-column-names'];
  const { stdout } = await run('mariadb', [...options, '--execute', sql]);
  return stdout;
}
