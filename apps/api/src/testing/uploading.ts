import { type ClientRequest, type OutgoingHttpHeaders, request } from 'node:http';
import type { Answer } from './http-client.js';
import type { TestService } from './service.js';

export const octets = { 'content-type': 'application/octet-stream' };

/** The attributes of an image that takes any bytes. */
export const raw = { disk_format: 'raw', container_format: 'bare' };

/** Bytes that differ everywhere. */
export function pattern(size: number): Buffer {
  // The period is a prime: no two chunks are alike.
  return Buffer.alloc(
    size,
    Uint8Array.from({ length: 4099 }, (_, n) => (n * 31 + (n >> 8) * 7) & 0xff),
  );
}

export async function* chunked(...chunks: (Uint8Array | string)[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

/** Sends the data of an image and waits for the answer. */
export function put(
  service: TestService,
  path: string,
  body: unknown,
  headers: OutgoingHttpHeaders = octets,
): Promise<Answer> {
  return service.ask('PUT', `${path}/file`, { headers, body });
}

/** An upload that a test feeds by hand. */
export function openUpload(service: TestService, path: string, headers: OutgoingHttpHeaders = octets): ClientRequest {
  const upload = request(`${service.api.url}${path}/file`, { method: 'PUT', headers, agent: false });
  upload.on('error', () => undefined);
  return upload;
}
