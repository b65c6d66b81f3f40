import { spawn } from 'node:child_process';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '@glance/store';

/** Ways in which data is packed that can be read from start to end. */
export type Compression = 'gzip' | 'xz' | 'zstd' | 'bzip2';

/** The first bytes that tell; `zip` and `lha` are archives. */
const signatures: readonly (readonly [Compression | 'zip' | 'lha', number, string])[] = [
  ['gzip', 0, '1f8b08'],
  ['xz', 0, 'fd377a585a00'],
  ['zstd', 0, '28b52ffd'],
  ['bzip2', 0, '425a68'],
  ['zip', 0, '504b0304'],
  // An empty archive.
  ['zip', 0, '504b0506'],
  ['lha', 2, Buffer.from('-lh').toString('hex')],
];

/** Bytes at the start of data that `compressionOf` needs. */
export const SIGNATURE_SIZE = 8;

/** How data is packed that begins with `head`; undefined if it is not. */
export function compressionOf(head: Uint8Array): Compression | 'zip' | 'lha' | undefined {
  const hex = Buffer.from(head).toString('hex');
  const found = signatures.find(([, offset, signature]) => hex.startsWith(signature, offset * 2));
  // Of a bzip2 the level and a block follow; three letters alone may begin anything.
  if (found?.[0] === 'bzip2' && !/^425a68(3[1-9])314159/.test(hex)) return undefined;
  return found?.[0];
}

/** Bytes of memory that a tool may take: xz -9 needs 65 MiB. */
const MEMORY = 512 * 1024 ** 2;

const tools: Readonly<Record<'xz' | 'bzip2', readonly string[]>> = {
  xz: ['xz', '--decompress', '--stdout', '--threads=1'],
  bzip2: ['bzip2', '--decompress', '--stdout'],
};

/**
 * What `packed` is unpacked. Damaged data and data that ends early fail with `UnsafeImage`. xz and bzip2 are left to the
 * programs of those names, in a process that may take 512 MiB.
 */
export async function* decompressed(packed: Readable, compression: Compression, signal: AbortSignal): Bytes {
  if (compression === 'xz' || compression === 'bzip2') {
    yield* unpackedByTool(packed, compression, signal);
    return;
  }
  const unpacker = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  // Destroys both with the first error, which the loop then meets.
  pipeline(packed, unpacker, () => undefined);
  const stop = (): void => void unpacker.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of unpacker) yield chunk as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    throw isServiceError(error) ? error : damaged(compression, error);
  } finally {
    signal.removeEventListener('abort', stop);
    packed.destroy();
  }
}

async function* unpackedByTool(packed: Readable, compression: 'xz' | 'bzip2', signal: AbortSignal): Bytes {
  const child = spawn('prlimit', [`--as=${MEMORY}`, '--core=0', '--', ...tools[compression]], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    signal,
    killSignal: 'SIGKILL',
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 1000)));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  ended.catch(() => undefined);
  // One that gives up closes its input: what it says then counts.
  pipeline(packed, child.stdin, () => undefined);
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const code = await ended;
    if (code === 127) throw missing(compression);
    if (code !== 0) throw damaged(compression, new Error(complaint.trim()));
    if (packed.errored) throw packed.errored;
  } catch (error) {
    signal.throwIfAborted();
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? missing(compression) : error;
  } finally {
    packed.destroy();
    child.kill('SIGKILL');
  }
}

function damaged(compression: string, cause: unknown): ServiceError {
  const message = `The data begins like ${compression}, but cannot be unpacked: it is damaged, or not all of it.`;
  return new ServiceError('UnsafeImage', message, {}, { cause });
}

function missing(compression: string): ServiceError {
  const message = `This service cannot unpack ${compression}: the program of that name, or prlimit, is not installed.`;
  return new ServiceError('StorageDenied', message);
}
