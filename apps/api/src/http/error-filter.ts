import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import { isServiceError, type Logger, type ServiceError } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { drainBody } from './drain-body.js';
import { errorBody } from './error-body.js';
import { statusOf } from './status-of.js';
import { answerUnrouted, RoutingError, type UnroutedParts } from './unrouted.js';

interface Answer {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Seconds after which a part of the service that was away may be back. */
const defaultRetryAfter = 5;

/** Turns whatever is thrown on the way of a request into its answer. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly unrouted: UnroutedParts,
    /** How to log in, for who has not. */
    private readonly challenge: string | undefined,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    // Nest's way to say that no route matched; nothing else throws it.
    if (!(error instanceof NotFoundException)) {
      this.send(error, request, reply);
      return;
    }
    try {
      answerUnrouted(request, reply, this.unrouted);
    } catch (refusal) {
      this.send(refusal, request, reply);
    }
  }

  private send(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.raw.headersSent || reply.raw.destroyed) {
      if (!isServiceError(error, 'Cancelled')) {
        this.logger.warn('An answer broke off.', { requestId: request.id, error });
      }
      // Too late for another one. A connection that breaks is the only way left to say that this is not all.
      reply.raw.destroy();
      return;
    }
    const { status, message, headers } = this.answerTo(error, request);
    drainBody(request, reply);
    // Glance: who is not let in gets no request id of the image service.
    if (status === 401) reply.removeHeader('x-openstack-request-id');
    const { contentType, text } = errorBody(request.headers.accept, status, message);
    reply.code(status).headers({ ...headers, 'content-type': contentType });
    reply.send(Buffer.from(text));
  }

  private answerTo(error: unknown, request: FastifyRequest): Answer {
    if (error instanceof RoutingError) {
      const headers = error.allow.length > 0 ? { allow: error.allow.join(', ') } : {};
      return { status: error.status, message: error.message, headers };
    }
    if (isServiceError(error) && error.code !== 'Internal') {
      const status = statusOf[error.code];
      const expected = error.code === 'Cancelled' || error.details['retryAfter'] !== undefined;
      if (status >= 500 && !expected) {
        this.logger.warn('A request failed for a reason outside of this process.', { requestId: request.id, error });
      }
      return { status, message: error.message, headers: this.headersOf(error) };
    }
    if (isClientError(error)) return { status: error.statusCode, message: error.message };
    this.logger.error('A request failed.', { requestId: request.id, error });
    return { status: 500, message: 'Something went wrong in the service. The request id leads to the log.' };
  }

  private headersOf({ code, details }: ServiceError): Readonly<Record<string, string>> {
    const { size, retryAfter } = details;
    if (code === 'RangeNotSatisfiable' && typeof size === 'number') return { 'content-range': `bytes */${size}` };
    if (code === 'Unavailable') return { 'retry-after': String(retryAfter ?? defaultRetryAfter) };
    if (code === 'Unauthenticated' && this.challenge !== undefined) return { 'www-authenticate': this.challenge };
    return {};
  }
}

/** What Fastify itself refuses, a malformed URL for instance. */
function isClientError(error: unknown): error is Error & { statusCode: number } {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 && status < 500;
}
