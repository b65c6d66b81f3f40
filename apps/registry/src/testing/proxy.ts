import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

/** A wire to a database that can be cut. */
export interface Proxy {
  /** The URL through the proxy. */
  readonly url: string;
  /** Breaks all connections, and refuses new ones until `repair`. */
  cut(): void;
  repair(): void;
  /** From now on, the connection that says `text` breaks once the database has answered, before the answer is through. */
  loseAnswerTo(text: string): void;
  close(): void;
}

/** A proxy on a port of its own to the server in `url`. */
export async function proxyTo(url: string): Promise<Proxy> {
  const { hostname, port } = new URL(url.replace(/^[^:]*/, 'http'));
  const sockets = new Set<Socket>();
  let up = true;
  let fatal: string | undefined;
  const server = createServer((client) => {
    if (!up) return client.destroy();
    const database = createConnection(Number(port), hostname);
    let doomed = false;
    const end = (): unknown => [client, database].forEach((socket) => socket.destroy());
    for (const socket of [client, database]) sockets.add(socket.on('error', end).on('close', end));
    client.on('data', (data) => {
      doomed ||= fatal !== undefined && data.includes(fatal);
      database.write(data);
    });
    database.on('data', (data) => (doomed ? end() : client.write(data)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const own = (server.address() as { port: number }).port;
  return {
    url: url.replace(`:${port}/`, `:${own}/`),
    cut() {
      up = false;
      for (const socket of sockets) socket.destroy();
    },
    repair() {
      up = true;
      fatal = undefined;
    },
    loseAnswerTo(text) {
      fatal = text;
    },
    close: () => server.close(),
  };
}
