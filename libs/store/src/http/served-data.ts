import type { IncomingMessage } from 'node:http';
import type { Bytes } from '../bytes.js';

/** What a server said about data when it began to send it. */
export interface ServedData {
  /** Bytes, if it told. */
  readonly size: number | undefined;
  /** Whether the end can be told from a broken connection. */
  readonly framed: boolean;
  /** Tells one version of the data from another: a strong entity tag, or else the time of its last change. */
  readonly validator: string | undefined;
}

/** Reads the headers of a 200. */
export function servedData({ headers }: IncomingMessage): ServedData {
  const { etag, 'last-modified': changed, 'content-length': length } = headers;
  const size = length === undefined ? undefined : Number(length);
  const framed = size !== undefined || (headers['transfer-encoding'] ?? '').toLowerCase().includes('chunked');
  return { size, framed, validator: etag?.startsWith('"') ? etag : changed };
}

/**
 * Where the body of an answer to a request for what follows `offset` begins; undefined if it is not, or cannot be told
 * to be, the rest of the same data.
 */
export function beginOfRest(response: IncomingMessage, served: ServedData, offset: number): number | undefined {
  const now = servedData(response);
  const sameVersion = served.validator !== undefined && served.validator === now.validator;
  if (response.statusCode === 200) return sameVersion && served.size === now.size ? 0 : undefined;
  const [, begin, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '') ?? [];
  const sameSize = served.size === undefined || total === '*' || Number(total) === served.size;
  // A server need not repeat its validator: it has promised that nothing changed.
  const kept = now.validator === undefined || sameVersion;
  return response.statusCode === 206 && Number(begin) === offset && sameSize && kept ? offset : undefined;
}

/** What follows the first so many bytes. */
export async function* behind(first: number, data: Bytes): Bytes {
  let skip = first;
  for await (const chunk of data) {
    const rest = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
