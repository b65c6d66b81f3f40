import type { RequestContext } from '@glance/rpc';
import { beginTrace, type Span } from '@glance/tracing';
import type { FastifyRequest } from 'fastify';
import { Gauge, Histogram } from 'prom-client';

const durations = new Histogram({
  name: 'http_server_request_duration_seconds',
  help: 'From the header of a request to the last byte of its answer; uploads and downloads with their data.',
  labelNames: ['http_request_method', 'http_route', 'http_response_status_code', 'error_type'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
});
const active = new Gauge({
  name: 'http_server_active_requests',
  help: 'Requests that are being answered.',
  labelNames: ['http_request_method'],
});

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

interface AnsweredRequest {
  readonly status: number;
  /** Whether the client has had all of the answer. */
  readonly complete: boolean;
  readonly milliseconds: number;
}

export interface RequestMeter {
  /** What `work` does and waits for belongs to the trace of the request. */
  readonly within: Span['within'];
  /** To be called when the request is over. */
  answered(answer: AnsweredRequest): void;
}

/** Counts a request while it is under way, and begins its span. */
export function requestMeter(request: FastifyRequest, { requestId }: RequestContext): RequestMeter {
  // What strangers may make up is no label.
  const http_request_method = methods.has(request.method) ? request.method : '_OTHER';
  active.inc({ http_request_method });
  const attributes = { 'http.request.method': http_request_method, 'glance.request_id': requestId };
  const span = beginTrace({ name: http_request_method, kind: 'server', attributes }, request.headers);
  return {
    within: (work) => span.within(work),
    answered({ status, complete, milliseconds }) {
      active.dec({ http_request_method });
      const http_route = request.routeOptions.url ?? '';
      const error_type = complete ? '' : 'client_gone';
      const labels = { http_request_method, http_route, http_response_status_code: status, error_type };
      durations.observe(labels, milliseconds / 1000);
      span.end({
        name: `${http_request_method} ${http_route}`,
        error: status >= 500 ? String(status) : error_type,
        attributes: { 'http.route': http_route, 'http.response.status_code': status, ...imageOf(request) },
      });
    },
  };
}

/** The id of the image that a request is about, if it is one. */
function imageOf({ params, routeOptions }: FastifyRequest): { readonly 'glance.image.id'?: string } {
  const { id } = (params ?? {}) as { readonly id?: string };
  const is = routeOptions.url?.startsWith('/v2/images/:id') && id !== undefined && /^[0-9a-f-]{36}$/i.test(id);
  return is ? { 'glance.image.id': id } : {};
}
