import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from '@glance/domain';
import type { RequestContext } from '@glance/rpc';
import type { FastifyRequest } from 'fastify';

/** The id of a request: the client's own, or a new one. Always begins with `req-`. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-openstack-request-id'];
  if (typeof given !== 'string' || given === '') return `req-${randomUUID()}`;
  return given.startsWith('req-') ? given : `req-${given}`;
}

/** Refuses a client's request id that is not fit for header, log and database. */
export function checkRequestId(request: IncomingMessage, maxLength: number): void {
  const given = request.headers['x-openstack-request-id'];
  if (typeof given === 'string' && (given.length > maxLength || !/^[\x21-\x7e]*$/.test(given))) {
    throw new ServiceError(
      'Invalid',
      `X-Openstack-Request-ID must be at most ${maxLength} visible ASCII characters without blanks.`,
    );
  }
}

/**
 * What the log calls a request. Glance: the id that a client sends is the one it gets back, so several requests may have
 * the same; here each also has one of its own.
 */
export function requestContext({ id, headers }: FastifyRequest): RequestContext {
  const given = headers['x-openstack-request-id'];
  if (typeof given !== 'string' || given === '') return { requestId: id };
  return { requestId: `req-${randomUUID()}`, globalRequestId: printable(id) };
}

/** Of an id that is about to be refused, no more than a line can take. */
const printable = (id: string): string => id.slice(0, 128).replaceAll(/[^\x21-\x7e]/g, '?');
