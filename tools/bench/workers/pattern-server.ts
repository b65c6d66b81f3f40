import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { MIB, piece } from '../pattern.js';
import { serveJobs } from './serve-jobs.js';

/** Serves this many bytes of the pattern to every GET. Answers with its port. */
serveJobs(async (bytes: number): Promise<number> => {
  const pieces = bytes / MIB;
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': bytes, etag: '"pattern"' });
    Readable.from(Array.from({ length: pieces }, () => piece)).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
});
