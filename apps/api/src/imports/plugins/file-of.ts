import { open } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ServiceError } from '@glance/domain';
import type { PluginWork } from '../import-plugin.js';

/** Path of a file with the data of `work`: where it lies already, or a copy. It must not be written to. */
export async function fileOf({ data, scratch, maxSize, signal }: PluginWork): Promise<string> {
  if (data.file !== undefined) return data.file;
  const path = join(await scratch(), randomUUID());
  await using file = await open(path, 'wx', 0o600);
  let size = 0;
  for await (const chunk of await data.open(signal)) {
    signal.throwIfAborted();
    if (size + chunk.length > maxSize) {
      throw new ServiceError('LimitExceeded', `The data is larger than the ${maxSize} bytes that are allowed.`);
    }
    for (let done = 0; done < chunk.length;) {
      done += (await file.write(chunk, done, chunk.length - done, size + done)).bytesWritten;
    }
    size += chunk.length;
  }
  return path;
}
