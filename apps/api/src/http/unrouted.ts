import { ServiceError } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { drainBody } from './drain-body.js';
import type { Routes } from './routes.js';
import { sendJson } from './send-json.js';

const ordinaryMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Glance: these answer to another method as if they did not exist. */
const withoutReject = [/^\/v2\/info\/usage$/, /^\/v2\/images\/[^/]+\/tasks$/];

export interface UnroutedParts {
  readonly routes: Routes;
  /** The version document for a request. */
  readonly versions: (request: FastifyRequest) => string;
}

/** A refusal that only routing knows. */
export class RoutingError extends Error {
  constructor(
    readonly status: 405 | 501,
    message: string,
    readonly allow: readonly string[] = [],
  ) {
    super(message);
  }
}

/** Answers a request that no route takes. Throws what is an error. */
export function answerUnrouted(
  request: FastifyRequest,
  reply: FastifyReply,
  { routes, versions }: UnroutedParts,
): void {
  const [path = '/'] = (request.raw.url ?? '/').split('?', 1);
  const { method } = request;
  const allowed = routes.allowed(path);
  if (allowed.length > 0 && !withoutReject.some((pattern) => pattern.test(path))) {
    throw new RoutingError(405, `${method} is not allowed here. Allowed: ${allowed.join(', ')}.`, allowed);
  }
  const [, segment] = path.split('/', 2);
  if (segment !== 'v2') {
    // Glance: whatever is not a version it knows is answered with those it knows.
    drainBody(request, reply);
    sendJson(reply, versions(request), segment === 'versions' ? 200 : 300);
    return;
  }
  if (path === '/v2') {
    drainBody(request, reply);
    reply.code(302).header('location', '/v2/').send();
    return;
  }
  if (!ordinaryMethods.has(method)) throw new RoutingError(501, `The method ${method} is not known here.`);
  throw new ServiceError('NotFound', 'There is no such resource.');
}
