import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/** Below those that Linux gives to connections and to whoever asks for any port (`ip_local_port_range`). */
const [first, last] = [10_240, 32_767];
const given = new Set<number>();

/**
 * A TCP port of 127.0.0.1 that nobody listens on, and that nobody gets by chance before a slow server has taken it: tests
 * in other processes run at the same time.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(first, last + 1);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}

/** Whether somebody accepts connections at this port of 127.0.0.1. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
