import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from '@glance/domain';

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
