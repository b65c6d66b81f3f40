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

export interface AnsweredRequest {
  readonly status: number;
  /** Whether the client has had all of the answer. */
  readonly complete: boolean;
  readonly milliseconds: number;
}

/** Counts a request while it is under way; what it answers is to be called when that is over. */
export function requestMeter(request: FastifyRequest): (answer: AnsweredRequest) => void {
  // What strangers may make up is no label.
  const http_request_method = methods.has(request.method) ? request.method : '_OTHER';
  active.inc({ http_request_method });
  return ({ status, complete, milliseconds }) => {
    active.dec({ http_request_method });
    const labels = {
      http_request_method,
      http_route: request.routeOptions.url ?? '',
      http_response_status_code: status,
      error_type: complete ? '' : 'client_gone',
    };
    durations.observe(labels, milliseconds / 1000);
  };
}
