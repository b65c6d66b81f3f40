import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface WebServer {
  readonly port: number;
  /** Every request so far: its path, and the range that it asked for. */
  readonly requests: { readonly url: string; readonly headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** A web server that answers as `answer` says. */
export async function webServer(
  answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void,
  address = '127.0.0.1',
): Promise<WebServer> {
  const requests: WebServer['requests'] = [];
  const server: Server = createServer((request, response) => {
    requests.push({ url: request.url ?? '', headers: request.headers });
    answer(request, response, requests.length);
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface Serving {
  readonly etag?: string;
  readonly lastModified?: string;
  /** Bytes after which the connection breaks, each time. */
  readonly breakAfter?: number;
  /** Bytes that it says there are. */
  readonly claims?: number;
  /** No Content-Length. */
  readonly chunked?: boolean;
  /** Knows no ranges. */
  readonly whole?: boolean;
}

/** Serves `data`, as well or as badly as `how` says. */
export function serve(data: Buffer, how: Serving = {}) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { etag, lastModified, breakAfter = Infinity, claims = data.length } = how;
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    const wanted = [etag, lastModified].some((each) => each === request.headers['if-range']) && how.whole !== true;
    const offset = from !== undefined && wanted ? Number(from) : 0;
    response.statusCode = offset > 0 ? 206 : 200;
    if (offset > 0) response.setHeader('content-range', `bytes ${offset}-${claims - 1}/${claims}`);
    if (etag !== undefined) response.setHeader('etag', etag);
    if (lastModified !== undefined) response.setHeader('last-modified', lastModified);
    if (how.chunked !== true) response.setHeader('content-length', claims - offset);
    const end = Math.min(offset + breakAfter, data.length);
    const part = data.subarray(offset, end);
    const all = end === claims;
    if (all) response.end(part);
    else response.write(part, () => response.destroy());
  };
}
