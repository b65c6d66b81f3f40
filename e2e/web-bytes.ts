import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WebBytes {
  /** Without a slash at its end. */
  readonly url: string;
  close(): void;
}

/** A web server that has the same bytes under every path. */
export async function serveBytes(bytes: Buffer): Promise<WebBytes> {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
