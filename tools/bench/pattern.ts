import { createCipheriv, createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { run } from './children.js';

/** Bytes; every size of the benchmark is a multiple of it. */
export const MIB = 1024 * 1024;

/** One MiB that looks random and is always the same: what an uploaded image repeats. */
export const piece: Buffer = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(
  Buffer.alloc(MIB),
);

// The chunk that python-glanceclient sends: 64 KiB.
const CHUNK = 64 * 1024;

/** The same MiB as HTTP chunks, as the stock client sends them. */
export const chunkedPiece: Buffer = Buffer.concat(
  Array.from({ length: MIB / CHUNK }, (_, n) => [
    Buffer.from(`${CHUNK.toString(16)}\r\n`),
    piece.subarray(n * CHUNK, (n + 1) * CHUNK),
    Buffer.from('\r\n'),
  ]).flat(),
);

/** Writes `bytes` of the pattern to a file; seconds until written, and until the disk has it. */
export async function writePattern(path: string, bytes: number): Promise<{ written: number; durable: number }> {
  const begin = performance.now();
  const file = await open(path, 'wx');
  try {
    for (let done = 0; done < bytes; done += MIB) await file.writeFile(piece);
    const written = (performance.now() - begin) / 1000;
    await file.sync();
    return { written, durable: (performance.now() - begin) / 1000 };
  } finally {
    await file.close();
  }
}

/** Writes a qcow2 whose disk has `bytes` of the pattern. */
export async function writeQcow2(path: string, bytes: number): Promise<void> {
  const raw = `${path}.raw`;
  await writePattern(raw, bytes);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, path]);
  await rm(raw);
}

/** What the service must say about `bytes` of the pattern. */
export async function patternDigests(bytes: number): Promise<{ md5: string; sha512: string }> {
  const md5 = createHash('md5');
  const sha512 = createHash('sha512');
  for (let done = 0; done < bytes; done += MIB) {
    md5.update(piece);
    sha512.update(piece);
    // So that Ctrl-C does not wait for 4 GiB.
    await setImmediate();
  }
  return { md5: md5.digest('hex'), sha512: sha512.digest('hex') };
}
