import { freePort, listens } from './ports.js';
import { type ServerProcess, startProcess } from './server-process.js';

export interface MemcachedServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>;
  /** SIGSTOP leaves its connections open and silent, until SIGCONT. */
  signal(name: NodeJS.Signals): void;
  close(): Promise<void>;
}

/** A memcached of one's own. */
export async function startMemcached(): Promise<MemcachedServer> {
  const port = await freePort();
  let server: ServerProcess | undefined;
  const start = async (): Promise<void> => {
    server = await startProcess({
      command: 'memcached',
      args: ['-l', '127.0.0.1', '-p', String(port), '-u', 'root', '-m', '16', '-t', '1'],
      ready: () => listens(port),
    });
  };
  await start();
  return {
    address: `127.0.0.1:${port}`,
    start,
    signal: (name) => server?.signal(name),
    async close() {
      await server?.kill();
    },
  };
}
