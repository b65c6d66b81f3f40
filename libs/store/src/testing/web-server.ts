import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './faulty-proxy.js';

export interface WebServer {
  readonly url: string;
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

/** A web server on a port of its own. */
export async function webServer(answer: RequestListener, tls?: Certificate): Promise<WebServer> {
  const requests: IncomingMessage[] = [];
  const handle: RequestListener = (request, response) => {
    requests.push(request);
    answer(request, response);
  };
  const server = tls ? createTlsServer({ key: tls.key, cert: tls.certificate }, handle) : createServer(handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** How a server that has data behaves. */
export interface Manners {
  readonly etag?: string;
  /** It does not know ranges. */
  readonly whole?: boolean;
  /** It does not know HEAD. */
  readonly noHead?: boolean;
  /** Bytes after which each answer breaks off. */
  readonly breakAfter?: number;
}

/** Answers a request for `data`. */
export function serve(data: Buffer, request: IncomingMessage, response: ServerResponse, manners: Manners = {}): void {
  const { etag, whole = false, noHead = false, breakAfter = Infinity } = manners;
  if (noHead && request.method === 'HEAD') {
    response.writeHead(405).end();
    return;
  }
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec((!whole && request.headers.range) || '') ?? [];
  const start = Number(from ?? 0);
  const end = Math.min(data.length, Number(to ?? data.length - 1) + 1);
  response.writeHead(from === undefined ? 200 : 206, {
    'content-length': end - start,
    ...(etag !== undefined && { etag }),
    ...(from !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${data.length}` }),
  });
  if (request.method === 'HEAD') response.end();
  else if (start + breakAfter >= end) response.end(data.subarray(start, end));
  else response.write(data.subarray(start, start + breakAfter), () => response.destroy());
}
