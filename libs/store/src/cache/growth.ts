import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '@glance/domain';
import type { Bytes } from '../bytes.js';
import { readBuffers } from '../drivers/file/read-buffers.js';
import { hasCode, ignoring, orNotFound } from '../drivers/file/system-error.js';
import { type CacheDirectory, isAbandoned } from './cache-directory.js';
import type { CacheEntry } from './cache-entry.js';

/** How far an entry is that is being filled. */
export interface Growth {
  /** Bytes that can be read. */
  readonly written: number;
  /** There will be no more of them. */
  readonly failed: boolean;
  /** Settles when something is otherwise. */
  grown(): Promise<void>;
  /** Somebody reads it, or does so no more. */
  joined?(): void;
  left?(): void;
}

/** Milliseconds between two looks at what another process fills. */
const pace = 25;

/** An entry that another process of this host fills. It is looked at only while somebody waits for it. */
export class ForeignGrowth implements Growth {
  written = 0;
  failed = false;
  #looking: Promise<void> | undefined;

  constructor(
    private readonly directory: CacheDirectory,
    private readonly entry: CacheEntry,
  ) {}

  /** Bytes that it will have. */
  get size(): number {
    return this.entry.size;
  }

  grown(): Promise<void> {
    this.#looking ??= delay(pace)
      .then(() => this.look())
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async look(): Promise<void> {
    const facts = await stat(this.directory.growing(this.entry)).catch(ignoring('ENOENT'));
    if (facts) {
      this.written = facts.size;
      this.failed = isAbandoned(facts);
      return;
    }
    const whole = await stat(this.directory.whole(this.entry)).catch(ignoring('ENOENT'));
    this.written = whole?.size ?? this.written;
    this.failed = whole?.size !== this.entry.size;
  }
}

/** Opens an entry, whether it still grows or is whole; `DataNotFound` if it is neither. */
export async function openEntry(directory: CacheDirectory, entry: CacheEntry): Promise<FileHandle> {
  return open(directory.growing(entry)).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    return open(directory.whole(entry)).catch(orNotFound);
  });
}

export interface GrowingPart {
  /** First byte. */
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
  /** Bytes that are read at a time, or fewer when many read. */
  readonly chunkSize: number;
}

/**
 * A part of an entry that grows, as it comes. Opened when it is first pulled, and then readable to its end even if its name
 * goes. `StoreUnavailable` where it ends before its time.
 */
export async function* growingBytes(
  growth: Growth,
  opening: () => Promise<FileHandle>,
  { start, end, chunkSize }: GrowingPart,
): Bytes {
  await using file = await opening();
  growth.joined?.();
  const loan = readBuffers.lend(1, chunkSize, end - start);
  const buffer = loan.buffers[0]!;
  let position = start;
  try {
    while (position < end) {
      const there = Math.min(growth.written, end) - position;
      if (there > 0) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, there), position);
        if (bytesRead === 0) throw ended();
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (growth.failed) throw ended();
      else await growth.grown();
    }
  } finally {
    growth.left?.();
    loan.giveBack(position >= end);
  }
}

function ended(): ServiceError {
  return new ServiceError('StoreUnavailable', 'The image is not put into the cache any more.');
}
