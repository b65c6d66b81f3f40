import { randomUUID } from 'node:crypto';
import type { Image } from '@glance/domain';
import type { Bytes } from '@glance/store';
import { arrive } from '../imports/arrive.js';
import type { ImportPlugin } from '../imports/import-plugin.js';
import { Meter } from '../imports/meter.js';
import type { Scratch } from '../imports/scratch.js';

interface Arriving {
  readonly image: Image;
  readonly open: () => Bytes;
  /** Bytes, if the client told. */
  readonly size: number | undefined;
  /** Bytes that may be stored. */
  readonly maxSize: number;
  readonly signal: AbortSignal;
}

/** Data as it is to be stored; whoever has stored it, or given up, disposes of it. */
export interface UploadedData extends AsyncDisposable {
  readonly data: Bytes;
  /** Bytes, if known. */
  readonly size: number | undefined;
  /** What it was converted to. */
  readonly diskFormat?: string;
}

/** Converts what is uploaded as imports are converted: `plugin` says which images. */
export class UploadConversion {
  constructor(
    private readonly plugin: ImportPlugin,
    private readonly scratch: Scratch,
  ) {}

  /** Waits for all of the data, if it is to be converted. */
  async arrive({ image, open, size, maxSize, signal }: Arriving): Promise<UploadedData> {
    const scratch = this.scratch.of(randomUUID());
    const work = { task: { roles: [], maxSize }, image, plugins: [this.plugin], scratch, meter: new Meter(), signal };
    try {
      const { changes, ...arrival } = await arrive({ open: async () => ({ size, data: open() }) }, work);
      const { diskFormat } = changes;
      return { ...arrival, ...(diskFormat !== undefined && { diskFormat }), ...disposing(scratch) };
    } catch (error) {
      await scratch[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** Data as it comes, or as `conversion` makes it. */
export async function arrivalOf(conversion: UploadConversion | undefined, arriving: Arriving): Promise<UploadedData> {
  if (conversion) return conversion.arrive(arriving);
  return { data: arriving.open(), size: arriving.size, [Symbol.asyncDispose]: async () => undefined };
}

function disposing(scratch: AsyncDisposable): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() };
}
