import { ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import type { FileSystem } from './file-system.js';
import { readBuffers } from './read-buffers.js';
import { orNotFound } from './system-error.js';

export interface FilePart {
  /** First byte. */
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
  /** Bytes that are read at a time, or fewer when many read. */
  readonly chunkSize: number;
  readonly signal: AbortSignal;
}

/**
 * A part of a file. Opened when it is first pulled, and then readable to its end even if it is deleted; the next chunk
 * is read while the consumer has one. `DataNotFound` if there is no file by then.
 */
export async function* fileBytes(fs: FileSystem, path: string, { start, end, chunkSize, signal }: FilePart): Bytes {
  if (start >= end) return;
  await using file = await fs.open(path).catch(orNotFound);
  const loan = readBuffers.lend(2, chunkSize, end - start);
  let position = start;

  async function fill(buffer: Buffer): Promise<Uint8Array> {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
    if (bytesRead === 0) throw new ServiceError('StoreUnavailable', 'The file became shorter while it was read.');
    position += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  let pending: Promise<Uint8Array> | undefined = fill(loan.buffers[0]!);
  let consumed = false;
  try {
    for (let turn = 1; pending; turn++) {
      const chunk: Uint8Array = await pending;
      signal.throwIfAborted();
      pending = position < end ? fill(loan.buffers[turn % 2]!) : undefined;
      // It is waited for only when the consumer comes back.
      pending?.catch(() => undefined);
      yield chunk;
    }
    consumed = true;
  } finally {
    await pending?.catch(() => undefined);
    // Whoever ends before the end may have failed while the system still reads what he was given.
    loan.giveBack(consumed && !signal.aborted);
  }
}
