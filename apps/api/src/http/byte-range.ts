import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '@glance/domain';

/** Part of the data: bytes `offset` to `offset + length - 1`. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * The part of `size` bytes that a request asks for; undefined for all of them. `Invalid` for several parts,
 * `RangeNotSatisfiable` for one that is malformed or begins past the end.
 */
export function byteRange(headers: IncomingHttpHeaders, size: number, etag: string | undefined): ByteRange | undefined {
  const { range } = headers;
  if (range === undefined) return alias(headers['content-range'], size);
  const condition = headers['if-range'];
  // A date never matches: the time of a change is not known well enough.
  if (condition !== undefined && condition !== etag) return undefined;
  if (range.includes(',')) {
    throw new ServiceError('Invalid', 'Only one range can be asked for at a time.');
  }
  const [, first, last] = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)$/i.exec(range.trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) throw unsatisfiable(size);
  if (first === '') {
    const length = Math.min(Number(last), size);
    if (length === 0) throw unsatisfiable(size);
    return { offset: size - length, length };
  }
  return between(Number(first), last === '' ? size - 1 : Number(last), size);
}

/** Glance: the Nova of long ago asks with `Content-Range: bytes 0-9/*`, which is a response header. */
function alias(contentRange: string | undefined, size: number): ByteRange | undefined {
  if (contentRange === undefined) return undefined;
  const [, first, last] = /^bytes\s+(\d+)-(\d+)\/(?:\d+|\*)$/i.exec(contentRange.trim()) ?? [];
  if (first === undefined || last === undefined) throw unsatisfiable(size);
  return between(Number(first), Number(last), size);
}

function between(first: number, last: number, size: number): ByteRange {
  if (first >= size || first > last) throw unsatisfiable(size);
  return { offset: first, length: Math.min(last, size - 1) - first + 1 };
}

function unsatisfiable(size: number): ServiceError {
  return new ServiceError('RangeNotSatisfiable', `The range must lie within the ${size} bytes of the image.`, { size });
}
