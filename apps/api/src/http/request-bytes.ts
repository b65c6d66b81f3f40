import type { IncomingMessage } from 'node:http';
import { ServiceError } from '@glance/domain';
import { type Bytes, messageBytes } from '@glance/store';

/** The body of a request, pulled; see `messageBytes`. */
export function requestBytes(request: IncomingMessage): Bytes {
  return messageBytes(request, clientGone);
}

const clientGone = (): Error => new ServiceError('Cancelled', 'The client went away before it had sent everything.');
