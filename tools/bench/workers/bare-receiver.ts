import { once } from 'node:events';
import { open, stat, unlink } from 'node:fs/promises';
import { type IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { MIB } from '../pattern.js';
import { serveJobs } from './serve-jobs.js';

/** Writes every PUT body into a file of its own in the directory, and nothing else; DELETE removes it. Answers with its port. */
serveJobs(async (directory: string): Promise<number> => {
  const server = createServer((request, response) => {
    const file = join(directory, request.url!.slice(1));
    const work = request.method === 'DELETE' ? remove(file) : receive(request, file).then(() => '');
    work.then(
      (text) => response.writeHead(text ? 200 : 204).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
});

// A write per MiB: one for each piece that the socket delivers costs twice as much, and this is to be a bound.
async function receive(request: IncomingMessage, path: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    let pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes < MIB) continue;
      await file.writev(pieces);
      pieces = [];
      bytes = 0;
    }
    if (bytes > 0) await file.writev(pieces);
  } finally {
    await file.close();
  }
}

async function remove(path: string): Promise<string> {
  const { size } = await stat(path);
  await unlink(path);
  return String(size);
}
