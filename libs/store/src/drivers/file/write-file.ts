import type { FileHandle } from 'node:fs/promises';
import type { Bytes } from '../../bytes.js';
import type { FileSystem } from './file-system.js';

export interface FileWriting {
  /** Permissions; the umask decides if absent. */
  readonly mode?: number | undefined;
  /** Where in a file that there is, and whose size is not to change. If absent, the file must not exist yet. */
  readonly start?: number;
  /** Pieces of zeros, `chunkSize` bytes long, become holes. */
  readonly sparse: boolean;
  readonly chunkSize: number;
  /** The file is on the disk at the end. */
  readonly durable: boolean;
  readonly signal: AbortSignal;
}

/** Writes `data` to a file. On failure the file stays as it is. */
export async function writeFile(
  fs: FileSystem,
  path: string,
  data: Bytes,
  { mode, ...writing }: FileWriting,
): Promise<void> {
  await using file = await fs.open(path, writing.start === undefined ? 'wx' : 'r+');
  if (mode !== undefined) await file.chmod(mode);
  await fillFile(file, data, writing);
}

/** Writes `data` to an open file that has nothing there: a chunk is in it when the next one is pulled. */
export async function fillFile(
  file: FileHandle,
  data: Bytes,
  { start: begin, sparse, chunkSize, durable, signal }: Omit<FileWriting, 'mode'>,
): Promise<void> {
  const zeros = sparse ? Buffer.alloc(chunkSize) : undefined;
  const flusher = durable ? new Flusher(file) : undefined;
  let position = begin ?? 0;
  for await (const chunk of data) {
    signal.throwIfAborted();
    const pieces = zeros ? withoutZeros(chunk, position, zeros) : [{ start: 0, end: chunk.length }];
    for (const { start, end } of pieces) await writeAll(file, chunk.subarray(start, end), position + start);
    position += chunk.length;
    await flusher?.reached(position);
  }
  // A hole at the end is nothing but the size.
  if (sparse && begin === undefined) await file.truncate(position);
  signal.throwIfAborted();
  await flusher?.end();
}

/**
 * Brings a file to the disk while it is written, so that little is left to wait for at the end and the memory of the
 * machine does not fill with what is still to be written.
 */
class Flusher {
  static readonly #step = 64 * 1024 * 1024;
  // One at a time in the process: a flush holds one of the few threads that reads of other files need, too.
  static #busy = false;
  readonly #file: FileHandle;
  #next = Flusher.#step;
  #running: Promise<void> | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async reached(position: number): Promise<void> {
    if (position < this.#next || Flusher.#busy) return;
    // The system tells an error of the disk once only: this may be the one.
    await this.#running;
    this.#next = position + Flusher.#step;
    this.#running = this.#flush();
    this.#running.catch(() => undefined);
  }

  async end(): Promise<void> {
    await this.#running;
    await this.#file.sync();
  }

  async #flush(): Promise<void> {
    Flusher.#busy = true;
    try {
      await this.#file.datasync();
    } finally {
      Flusher.#busy = false;
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** The runs of `chunk`, which lies at `position` of the file, between pieces that are all zeros. */
function withoutZeros(chunk: Uint8Array, position: number, zeros: Buffer): { start: number; end: number }[] {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  const runs: { start: number; end: number }[] = [];
  for (let start = 0; start < bytes.length;) {
    // Pieces are cut where file systems can make holes: at multiples of their size in the file.
    const end = Math.min(bytes.length, start + zeros.length - ((position + start) % zeros.length));
    if (!bytes.subarray(start, end).equals(zeros.subarray(0, end - start))) {
      const last = runs.at(-1);
      if (last?.end === start) last.end = end;
      else runs.push({ start, end });
    }
    start = end;
  }
  return runs;
}
