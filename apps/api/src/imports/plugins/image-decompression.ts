import { Readable } from 'node:stream';
import { ServiceError } from '@glance/domain';
import type { Bytes } from '@glance/store';
import type { ImportPlugin, PluginWork, ReadableData } from '../import-plugin.js';
import { compressionOf, decompressed, SIGNATURE_SIZE } from './compression.js';
import { fileOf } from './file-of.js';
import { openMember } from './zip-member.js';

/** Unpacks what arrives packed: gzip, xz, zstd, bzip2, or a zip of one file. `maxSize` in bytes, 0 for the image's own. */
export function imageDecompression(maxSize: number): ImportPlugin {
  return {
    name: 'image_decompression',
    async run(work) {
      // Glance: whoever says that an image is to stay packed is believed.
      if (work.image.containerFormat === 'compressed') return {};
      const compression = compressionOf(await headOf(work.data, work.signal));
      if (compression === undefined) return {};
      if (compression === 'lha') {
        throw new ServiceError('UnsafeImage', 'LHA archives are not unpacked here: pack the image with gzip or xz.');
      }
      const limit = maxSize > 0 ? Math.min(maxSize, work.maxSize) : work.maxSize;
      const counted = (bytes: Bytes): Bytes => limited(bytes, limit);
      if (compression === 'zip') {
        const file = await fileOf(work);
        const { size } = await openMember(file, limit);
        const open = async (signal: AbortSignal) => counted((await openMember(file, limit)).open(signal));
        return { data: { size, open } };
      }
      const open = async (signal: AbortSignal): Promise<Bytes> => {
        const packed = Readable.from(watched(await work.data.open(signal), work), { objectMode: false });
        return counted(decompressed(packed, compression, signal));
      };
      return { data: { size: undefined, open } };
    },
  };
}

async function headOf(data: ReadableData, signal: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of await data.open(signal)) {
    // Its memory is used again for the next one.
    pieces.push(Buffer.from(chunk.subarray(0, SIGNATURE_SIZE)));
    length += chunk.length;
    if (length >= SIGNATURE_SIZE) break;
  }
  return Buffer.concat(pieces).subarray(0, SIGNATURE_SIZE);
}

/** Copies, for a stream keeps chunks for longer than until the next one. */
async function* watched(data: Bytes, { progress }: PluginWork): AsyncGenerator<Buffer> {
  let done = 0;
  for await (const chunk of data) {
    done += chunk.length;
    progress(done);
    yield Buffer.from(chunk);
  }
}

async function* limited(bytes: Bytes, limit: number): Bytes {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limit) {
      throw new ServiceError('LimitExceeded', `Unpacked, the data has more than the ${limit} bytes that are allowed.`);
    }
    yield chunk;
  }
}
