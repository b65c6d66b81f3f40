import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileBytes } from './file-bytes.js';
import { fileSystem } from './file-system.js';

// A size that no other test of this process reads with.
const chunkSize = 24 * 1024;

describe('buffers of a file that is read', () => {
  it.each([
    ['are used again once all of it is consumed', 4, true],
    ['are not after the last chunk, with which its consumer may have failed', 3, false],
    ['are not after a chunk before, though the last is read ahead', 2, false],
  ])('%s', async (_, pulled, reused) => {
    const path = join(await mkdtemp(join(tmpdir(), 'file-bytes-')), 'data');
    await writeFile(path, Buffer.alloc(3 * chunkSize, 7));
    const open = (): AsyncIterator<Uint8Array, undefined> => {
      const part = { start: 0, end: 3 * chunkSize, chunkSize, signal: new AbortController().signal };
      return fileBytes(fileSystem(undefined), path, part)[Symbol.asyncIterator]() as AsyncIterator<
        Uint8Array,
        undefined
      >;
    };
    const seen = new Set<unknown>();
    const first = open();
    for (let count = 0; count < pulled; count++) seen.add((await first.next()).value?.buffer);
    await first.return?.();
    const second = open();
    expect(seen.has((await second.next()).value?.buffer)).toBe(reused);
    await second.return?.();
  });
});
