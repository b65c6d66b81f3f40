import type { Image } from '@glance/node-rados';
import { ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { cancellation } from '../../cancellation.js';
import { storeError } from '../../store-error.js';
import type { Buffers } from '../../buffers.js';
import { bufferSize } from './buffer-size.js';

const readAhead = 3;

export interface ImagePart {
  /** First byte. */
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
  readonly buffers: Buffers;
  readonly signal: AbortSignal;
  /** Opens the image: by its id if one is given, so that it is no other of the same name. */
  readonly open: (id?: string) => Promise<Image>;
}

/**
 * A part of an image, which is open only while it is read, several pieces ahead. Fails before the last piece when the
 * image was removed meanwhile: what is missing by then reads as zeros, and Ceph calls that no error.
 */
export async function* imageBytes({ start, end, buffers, signal, open }: ImagePart): Bytes {
  if (start >= end) return;
  const image = await open();
  const lease = buffers.lease({ own: 2, most: readAhead + 1, size: bufferSize });
  const ahead: Promise<{ buffer: Buffer; length: number }>[] = [];
  let position = start;
  let held: Buffer | undefined;

  const read = async (buffer: Buffer, offset: number): Promise<{ buffer: Buffer; length: number }> => {
    const length = Math.min(bufferSize, end - offset);
    try {
      const received = await image.read(offset, buffer.subarray(0, length));
      if (received === length) return { buffer, length };
      throw new ServiceError('StoreUnavailable', 'The image became shorter while it was read.');
    } catch (error) {
      lease.give(buffer, { reuse: false });
      throw storeError(error);
    }
  };
  const fill = (): void => {
    for (let buffer; position < end && (buffer = lease.tryTake()); position += bufferSize) {
      const reading = read(buffer, position);
      reading.catch(() => undefined);
      ahead.push(reading);
    }
  };
  const letGo = async (): Promise<void> => {
    // Whoever goes in the middle may have failed while the system still reads what he was given.
    if (held) lease.give(held, { reuse: false });
    for (const reading of ahead) await reading.then(({ buffer }) => lease.give(buffer)).catch(() => undefined);
    lease.end();
    await image.close();
  };

  try {
    fill();
    while (ahead.length > 0) {
      const { buffer, length } = await ahead.shift()!;
      held = buffer;
      if (signal.aborted) throw cancellation(signal);
      if (position >= end && ahead.length === 0) await (await open(image.id)).close();
      yield buffer.subarray(0, length);
      lease.give(buffer);
      held = undefined;
      fill();
    }
  } finally {
    // Not waited for: a cluster that hangs would hold up who has given up on it.
    letGo().catch(() => undefined);
  }
}
