import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { bufferedSegment } from './buffered-segment.js';
import { SegmentSource } from '../../segment-source.js';

/** What Swift takes as one object. */
const largest = 5 * 1024 ** 3 - 1;
/** As many as any Swift allows. */
const mostSegments = 1000;
const mostTries = 4;

export interface Segment {
  readonly name: string;
  readonly etag: string;
  readonly size: number;
}

export interface SegmentWriting {
  readonly segmentSize: number;
  readonly size: number | undefined;
  /** Where segments wait until they have arrived, so that they can be sent again. */
  readonly bufferDirectory: string | undefined;
  /** Name of a segment, counted from 1. */
  readonly nameOf: (number: number) => string;
  /** Sends one, of `length` bytes if that is known; answers with its entity tag. */
  readonly send: (name: string, data: Bytes, length: number | undefined) => Promise<string>;
}

/** Sends `data` as segments; none if there is no data. */
export async function writeSegments(data: Bytes, writing: SegmentWriting): Promise<Segment[]> {
  const source = new SegmentSource(data);
  const segments: Segment[] = [];
  let sent = 0;
  try {
    while (await source.more()) {
      const limit = bytesOfSegment(segments.length + 1, writing);
      const left = (writing.size ?? 0) - sent;
      const length = left > 0 ? Math.min(limit, left) : undefined;
      const segment = await writeSegment(segments.length + 1, source.take(length ?? limit), length, writing);
      segments.push(segment);
      sent += segment.size;
    }
  } finally {
    await source.close();
  }
  return segments;
}

/** Of an unknown size, the later ones are larger, so that 1 TiB fits. */
export function bytesOfSegment(
  number: number,
  { segmentSize, size }: { segmentSize: number; size: number | undefined },
): number {
  const wanted =
    size === undefined ? segmentSize * 2 ** Math.floor((number - 1) / 200) : Math.ceil(size / mostSegments);
  return Math.min(largest, Math.max(segmentSize, wanted));
}

async function writeSegment(
  number: number,
  data: Bytes,
  length: number | undefined,
  { bufferDirectory, nameOf, send }: SegmentWriting,
): Promise<Segment> {
  const name = nameOf(number);
  if (bufferDirectory !== undefined) {
    await using buffered = await bufferedSegment(bufferDirectory, data);
    return { name, etag: await persistently(() => send(name, buffered.data(), buffered.size)), size: buffered.size };
  }
  let size = 0;
  async function* counted(): Bytes {
    for await (const chunk of data) {
      size += chunk.length;
      yield chunk;
    }
  }
  const etag = await send(name, counted(), length);
  return { name, etag, size };
}

async function persistently(send: () => Promise<string>): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await send();
    } catch (error) {
      const final = isServiceError(error) && error.code !== 'StoreUnavailable';
      if (final || tries >= mostTries) throw error;
    }
    await delay(100 * 2 ** tries);
  }
}
