import { randomUUID } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bytes } from '../../bytes.js';

/** Data that can be sent more than once. */
export interface BufferedSegment {
  readonly size: number;
  data(): Bytes;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Puts data into a file of `directory`, which is gone with the process at the latest. */
export async function bufferedSegment(directory: string, data: Bytes): Promise<BufferedSegment> {
  const path = join(directory, `glance-segment-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  let size = 0;
  try {
    await unlink(path);
    for await (const chunk of data) {
      await file.writeFile(chunk);
      size += chunk.length;
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    size,
    async *data() {
      const buffer = Buffer.allocUnsafe(1024 * 1024);
      for (let position = 0; position < size;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) throw new Error('The buffered segment became shorter.');
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
