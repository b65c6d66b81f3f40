import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';

const MiB = 1024 * 1024;

/** A web server that has one image of some MiB, and counts how often it is read. */
export interface CountingOrigin {
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  readonly crc: number;
  readonly digests: { readonly checksum: string; readonly os_hash_algo: string; readonly os_hash_value: string };
  /** The first byte of each read. */
  readonly reads: number[];
  /** The first read from now on stops before this byte; resolves when it has come so far. `release` lets it go on. */
  hold(position: number): { readonly reached: Promise<void>; readonly release: () => void };
  /** Answers nobody any more. */
  close(): Promise<void>;
}

export async function countingOrigin(mebibytes: number): Promise<CountingOrigin> {
  const size = mebibytes * MiB;
  const block = randomBytes(MiB);
  const chunkAt = (index: number): Buffer => {
    const chunk = Buffer.from(block);
    chunk.writeUInt32BE(index);
    return chunk;
  };
  const [md5, sha512] = [createHash('md5'), createHash('sha512')];
  let crc = 0;
  for (let index = 0; index < mebibytes; index++) {
    const chunk = chunkAt(index);
    md5.update(chunk);
    sha512.update(chunk);
    crc = crc32(chunk, crc);
  }
  const reads: number[] = [];
  let gate: { position: number; reached: () => void; released: Promise<void> } | undefined;

  async function* bytes(from: number, to: number): AsyncGenerator<Buffer> {
    const held = gate;
    gate = undefined;
    for (let position = from; position < to;) {
      if (held && position >= held.position) {
        held.reached();
        await held.released;
      }
      const chunk = chunkAt(Math.floor(position / MiB));
      const piece = chunk.subarray(position % MiB, Math.min(MiB, (position % MiB) + to - position));
      position += piece.length;
      yield piece;
    }
  }

  const server = createServer((request, response) => {
    const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const [from, to] = [Number(first), last === '' ? size : Math.min(size, Number(last) + 1)];
    const part = request.headers.range === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${size}` };
    response.writeHead('content-range' in part ? 206 : 200, {
      'content-length': to - from,
      'accept-ranges': 'bytes',
      ...part,
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    reads.push(from);
    // Whoever reads may go at any time.
    pipeline(bytes(from, to), response).catch(() => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image`,
    size,
    crc,
    digests: { checksum: md5.digest('hex'), os_hash_algo: 'sha512', os_hash_value: sha512.digest('hex') },
    reads,
    hold(position) {
      const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      gate = { position, reached: () => reached.resolve(), released: released.promise };
      return { reached: reached.promise, release: () => released.resolve() };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
