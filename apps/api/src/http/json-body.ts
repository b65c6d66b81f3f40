import { ServiceError } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { wantBody } from './expect-continue.js';
import { requestBytes } from './request-bytes.js';

const maxBytes = 4 * 1024 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A JSON body; `Invalid` if it is none. Glance: whatever its Content-Type says, except where a route looks at it. */
export async function jsonBody(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const bytes = await wholeBody(request, reply);
  if (bytes.length === 0) throw new ServiceError('Invalid', 'The request has no body; it must be JSON.');
  try {
    return JSON.parse(decoder.decode(bytes)) as unknown;
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'JSON' : 'UTF-8';
    throw new ServiceError('Invalid', `The body of the request is not valid ${reason}.`, {}, { cause: error });
  }
}

/** A JSON body that is an object. */
export async function jsonObject(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Readonly<Record<string, unknown>>> {
  const body = await jsonBody(request, reply);
  if (!isObject(body)) throw new ServiceError('Invalid', 'The body of the request must be a JSON object.');
  // Assigned to any other object it would be that object's prototype.
  if (Object.hasOwn(body, '__proto__')) throw new ServiceError('Invalid', 'An attribute cannot be called "__proto__".');
  return body;
}

/** Whether a JSON value is an object (and neither a list nor null). */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses a request that has a body where there is nothing to say. */
export async function refuseBody(request: FastifyRequest): Promise<void> {
  const { headers, raw } = request;
  if (Number(headers['content-length'] ?? 0) > 0) throw unwanted();
  if (headers['transfer-encoding'] === undefined) return;
  for await (const chunk of requestBytes(raw)) if (chunk.length > 0) throw unwanted();
}

function unwanted(): ServiceError {
  return new ServiceError('Invalid', 'This request takes no body.');
}

async function wholeBody(request: FastifyRequest, reply: FastifyReply): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  wantBody(request.raw, reply.raw);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of requestBytes(request.raw)) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

function tooLarge(): ServiceError {
  return new ServiceError('LimitExceeded', `A JSON body may have ${maxBytes} bytes at most.`);
}
