import { createReadStream } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '@glance/domain';
import type { Bytes } from '@glance/store';
import type { Inspection } from '../../images/inspect-image.js';
import type { ImportPlugin, PluginWork, ReadableData } from '../import-plugin.js';
import { fileOf } from './file-of.js';
import { convert, diskSize, openDisk, qemuFormats } from './qemu.js';
import { Turns } from './turns.js';

export interface ConversionParts {
  readonly outputFormat: 'raw' | 'qcow2' | 'vmdk';
  /** Conversions of this process at the same time. */
  readonly conversions: number;
  readonly inspect: (image: Pick<Image, 'id' | 'diskFormat' | 'containerFormat'>) => Inspection;
}

/** Bytes of the start of an image in which all that is dangerous about it can be seen. */
const headSize = 256 * 1024;

/**
 * Converts images to one disk format. The format that an image has is the one it is said to have, never guessed. A raw
 * disk goes into the stores while qemu reads it; other formats are written to a file first.
 */
export function imageConversion({ outputFormat, conversions, inspect }: ConversionParts): ImportPlugin {
  const turns = new Turns(conversions);
  return {
    name: 'image_conversion',
    // Kernels, ramdisks and CDs are no disks. Glance: what is wrapped in another container is left alone, too.
    concerns({ diskFormat, containerFormat }) {
      if (diskFormat === null || containerFormat !== 'bare') return false;
      return qemuFormats[diskFormat] !== undefined && diskFormat !== outputFormat;
    },
    async run(work) {
      const diskFormat = work.image.diskFormat!;
      await refuseUnsafe(work, inspect(work.image));
      const file = await fileOf(work);
      const size = await diskSize(file, diskFormat, work.signal);
      const data =
        outputFormat === 'raw'
          ? rawDisk(file, diskFormat, size, turns)
          : await turns.take(() => converted(work, file, diskFormat, outputFormat), work.signal);
      return { diskFormat: outputFormat, containerFormat: 'bare', data };
    },
  };
}

/** Before any other program looks at it. */
async function refuseUnsafe({ data, signal }: PluginWork, { tap, judge }: Inspection): Promise<void> {
  let size = 0;
  for await (const chunk of tap.through(await data.open(signal))) {
    size += chunk.length;
    if (size >= headSize) return;
  }
  judge();
}

function rawDisk(file: string, format: string, size: number, turns: Turns): ReadableData {
  return {
    size,
    open: async (signal) => turns.through(() => opened(file, format, signal), signal),
  };
}

async function* opened(file: string, format: string, signal: AbortSignal): Bytes {
  const { disk, close } = await openDisk(file, format, signal);
  try {
    yield* disk.bytes();
  } finally {
    await close();
  }
}

async function converted(work: PluginWork, file: string, from: string, to: string): Promise<ReadableData> {
  const { scratch, maxSize, signal, progress } = work;
  const target = join(await scratch(), randomUUID());
  const { size: total } = await stat(file);
  await convert({ file, format: from }, { file: target, format: to, maxSize }, signal, (fraction) =>
    progress(Math.round(total * fraction)),
  );
  const { size } = await stat(target);
  return {
    size,
    file: target,
    open: async (reading) => createReadStream(target, { signal: reading, highWaterMark: 1024 * 1024 }),
  };
}
