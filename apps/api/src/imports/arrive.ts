import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClaimedTask, Image, ImportedData } from '@glance/domain';
import { type Bytes, Intake } from '@glance/store';
import type { ImportPlugin, ReadableData } from './import-plugin.js';
import type { Meter } from './meter.js';
import { runPlugins } from './run-plugins.js';
import type { ScratchDirectory } from './scratch.js';
import type { Source } from './source.js';

/** Bytes as they are to be stored, and what the plugins have changed of the image. */
export interface Arrival {
  readonly data: Bytes;
  readonly size: number | undefined;
  readonly changes: Pick<ImportedData, 'diskFormat' | 'containerFormat' | 'properties'>;
}

export interface ArrivalWork {
  readonly task: Pick<ClaimedTask, 'roles' | 'maxSize'>;
  readonly image: Image;
  readonly plugins: readonly ImportPlugin[];
  readonly scratch: ScratchDirectory;
  readonly meter: Meter;
  readonly signal: AbortSignal;
}

/** Asks the source what it is, and opens it; with plugins, lets them at the whole of it first. */
export async function arrive(source: Source, work: ArrivalWork): Promise<Arrival> {
  const { task, image: before, plugins, scratch, meter, signal } = work;
  const description = await source.describe?.(signal);
  const properties = { ...before.properties, ...description?.properties };
  const image = { ...before, ...description, properties };
  const none = plugins.every((plugin) => plugin.concerns?.(image) === false);
  if (none) return { ...(await source.open(signal)), changes: changesOf(before, image) };
  const data = source.readable ? await source.readable(signal) : await download(source, work);
  const progress = (done: number): void => meter.reached(done);
  const watched = plugins.map((plugin): ImportPlugin => ({
    ...plugin,
    async run(given) {
      meter.step = plugin.name;
      meter.begin(given.data.size);
      return plugin.run(given);
    },
  }));
  const { roles, maxSize } = task;
  const given = { image, roles, data, scratch: () => scratch.path(), maxSize, signal, progress };
  const prepared = await runPlugins(watched, given);
  return {
    data: await prepared.data.open(signal),
    size: prepared.data.size,
    changes: changesOf(before, prepared.image),
  };
}

function changesOf(before: Image, after: Pick<Image, 'diskFormat' | 'containerFormat' | 'properties'>) {
  const { diskFormat, containerFormat } = after;
  const changed = Object.entries(after.properties).filter(([name, value]) => value !== before.properties[name]);
  const properties = Object.fromEntries(changed.map(([name, value]) => [name, value ?? '']));
  return {
    ...(diskFormat !== null && diskFormat !== before.diskFormat && { diskFormat }),
    ...(containerFormat !== null && containerFormat !== before.containerFormat && { containerFormat }),
    ...(changed.length > 0 && { properties }),
  };
}

/** Plugins look at data more than once, and a source on the network can be had once. */
async function download(source: Source, { task, scratch, meter, signal }: ArrivalWork): Promise<ReadableData> {
  const { size, data } = await source.open(signal);
  const file = join(await scratch.path(), 'source');
  let written = 0;
  {
    await using target = await open(file, 'wx', 0o600);
    const intake = new Intake(size, task.maxSize);
    for await (const chunk of intake.leaving(intake.arriving(meter.through(data, size)))) {
      signal.throwIfAborted();
      await writeAll(target, chunk, written);
      written += chunk.length;
    }
  }
  return {
    size: written,
    file,
    open: async (reading) => createReadStream(file, { signal: reading, highWaterMark: 1024 * 1024 }),
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
