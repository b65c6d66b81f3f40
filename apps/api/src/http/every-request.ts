import { type Caller, type Logger, ServiceError } from '@glance/domain';
import { currentRequest, inRequest } from '@glance/rpc';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../identity/identity.js';
import { hasBody } from './has-body.js';
import { type RequestMeter, requestMeter } from './http-metrics.js';
import { refuseBody } from './json-body.js';
import { checkRequestId, requestContext } from './request-id.js';
import type { Traffic } from './traffic.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose request it is; for requests to the API only. */
    caller: Caller;
  }
}

export interface EveryRequestParts {
  readonly identity: Identity;
  readonly traffic: Traffic;
  readonly logger: Logger;
  readonly maxRequestIdLength: number;
  /** Adds what browsers want to know. */
  readonly cors: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Whether connections stay open for more. */
  readonly keepAlive: boolean;
}

const withoutBody = new Set(['GET', 'HEAD', 'DELETE']);

/**
 * What happens to every request before it reaches its route, and the line in the log when it is over. Everything under
 * `/v2/` needs a caller, whether or not there is such a route; the rest (versions, health) is open.
 */
export function everyRequest(fastify: FastifyInstance, parts: EveryRequestParts): void {
  const { identity, traffic, maxRequestIdLength, keepAlive, cors } = parts;
  fastify.decorateRequest('caller');
  // A hook and not a guard: it also stands before paths and methods that nobody serves.
  fastify.addHook('onRequest', (request, reply, done) => {
    const context = requestContext(request);
    const meter = requestMeter(request, context);
    meter.within(() => inRequest(context, () => admitted(request, reply, meter, done)));
  });
  function admitted(
    request: FastifyRequest,
    reply: FastifyReply,
    meter: RequestMeter,
    done: (error?: Error) => void,
  ): void {
    watch(request, reply, meter, parts);
    cors(request, reply);
    if (!keepAlive || traffic.leaving) reply.raw.shouldKeepAlive = false;
    const api = request.url.startsWith('/v2/');
    // Glance: version documents and the health check bear no request id.
    if (api) reply.header('x-openstack-request-id', request.id);
    if (traffic.draining || (traffic.leaving && isHealthCheck(request.url))) {
      throw new ServiceError('Unavailable', 'The service is about to stop. Try again.', { retryAfter: 5 });
    }
    checkRequestId(request.raw, maxRequestIdLength);
    if (request.method === 'OPTIONS') {
      reply.code(200).send();
      return;
    }
    const caller = api ? identity.identify(request) : undefined;
    const unwanted = withoutBody.has(request.method) && hasBody(request.headers);
    if (caller instanceof Promise || unwanted) admit(request, caller, unwanted).then(() => done(), done);
    else {
      if (caller) request.caller = caller;
      done();
    }
  }
}

function isHealthCheck(url: string): boolean {
  return url === '/healthcheck' || url.startsWith('/healthcheck?');
}

async function admit(request: FastifyRequest, caller: Caller | Promise<Caller> | undefined, unwanted: boolean) {
  const known = await caller;
  if (known) request.caller = known;
  if (unwanted) await refuseBody(request);
}

function watch(
  request: FastifyRequest,
  reply: FastifyReply,
  meter: RequestMeter,
  { traffic, logger }: EveryRequestParts,
): void {
  const began = performance.now();
  const context = currentRequest();
  traffic.opened(reply.raw, request.raw.socket);
  reply.raw.once('close', () => {
    traffic.closed();
    const { statusCode: status, writableFinished: complete } = reply.raw;
    const milliseconds = performance.now() - began;
    meter.answered({ status, complete, milliseconds });
    const line = `${request.method} ${request.originalUrl} ${status}${complete ? '' : ' (client gone)'}`;
    const fields = { requestId: request.id, milliseconds: Math.round(milliseconds) };
    // The event comes from the socket, which knows of no request.
    inRequest(context, () => logger.info(line, fields));
  });
}
