import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '@glance/store';
import * as yauzl from 'yauzl';

const openFile = promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open);

interface Member {
  /** Bytes, unpacked. */
  readonly size: number;
  open(signal: AbortSignal): Bytes;
}

/** The one file in a zip archive. Fails with `UnsafeImage` for any other archive, `LimitExceeded` for a larger file. */
export async function openMember(path: string, maxSize: number): Promise<Member> {
  const entry = await oneEntry(path);
  const { uncompressedSize: size } = entry;
  if (size > maxSize) {
    throw new ServiceError('LimitExceeded', `Unpacked, the data has ${size} bytes; ${maxSize} are allowed.`);
  }
  return { size, open: (signal) => bytes(path, entry, signal) };
}

async function oneEntry(path: string): Promise<yauzl.Entry> {
  const entries: yauzl.Entry[] = [];
  await withZip(path, async (zip) => {
    if (zip.entryCount > 1) throw refused(`it has ${zip.entryCount} entries instead of one file`);
    await new Promise<void>((resolve, reject) => {
      zip.on('entry', (entry: yauzl.Entry) => {
        entries.push(entry);
        zip.readEntry();
      });
      zip.on('end', resolve);
      zip.on('error', reject);
      zip.readEntry();
    });
  });
  const [entry] = entries;
  if (!entry || entry.fileName.endsWith('/')) throw refused('there is no file in it');
  if (entry.isEncrypted()) throw refused('it is encrypted');
  return entry;
}

async function* bytes(path: string, entry: yauzl.Entry, signal: AbortSignal): Bytes {
  const zip = await openFile(path, { lazyEntries: true, autoClose: false });
  try {
    const stream = await new Promise<Readable>((resolve, reject) => {
      zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    const stop = () => void stream.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    let checksum = 0;
    for await (const chunk of stream) {
      checksum = crc32(chunk as Buffer, checksum);
      yield chunk as Buffer;
    }
    if (checksum !== entry.crc32) throw refused('it is damaged');
  } catch (error) {
    signal.throwIfAborted();
    throw isServiceError(error) ? error : refused('it is damaged', error);
  } finally {
    zip.close();
  }
}

async function withZip<T>(path: string, work: (zip: yauzl.ZipFile) => Promise<T>): Promise<T> {
  const zip = await openFile(path, { lazyEntries: true, autoClose: false }).catch((error: unknown) => {
    throw refused('it is damaged', error);
  });
  try {
    return await work(zip);
  } finally {
    zip.close();
  }
}

function refused(why: string, cause?: unknown): ServiceError {
  const message = `The zip archive cannot be unpacked: ${why}. Pack the image alone, without a password.`;
  return new ServiceError('UnsafeImage', message, {}, { cause });
}
