import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CorsSettings } from './cors-options.js';

// Those that oslo.middleware always allows.
const simpleMethods = ['GET', 'HEAD', 'POST'];
const simpleHeaders = [
  'Accept',
  'Accept-Language',
  'Content-Type',
  'Cache-Control',
  'Content-Language',
  'Expires',
  'Last-Modified',
  'Pragma',
];

/** Says to browsers what pages of other sites may do: https://fetch.spec.whatwg.org/#http-cors-protocol. */
export function cors(settings: CorsSettings): (request: FastifyRequest, reply: FastifyReply) => void {
  const { allowedOrigin, allowCredentials, exposeHeaders, maxAge } = settings;
  if (allowedOrigin.length === 0) return () => undefined;
  const methods = new Set([...simpleMethods, ...settings.allowMethods.map((name) => name.toUpperCase())]);
  const headers = new Set([...simpleHeaders, ...settings.allowHeaders].map((name) => name.toLowerCase()));
  const origins = new Set(allowedOrigin);
  const granted = (origin: string): string | undefined =>
    origins.has(origin) ? origin : origins.has('*') ? '*' : undefined;

  return (request, reply) => {
    // Glance: the health check stands beside all of this.
    if (request.url.startsWith('/healthcheck')) return;
    const { origin } = request.headers;
    const allowed = origin === undefined ? undefined : granted(origin);
    if (allowed === undefined) return;
    const asked = request.headers['access-control-request-method'];
    if (request.method === 'OPTIONS') {
      const wanted = listOf(request.headers['access-control-request-headers']);
      const fits = asked !== undefined && methods.has(asked) && wanted.every((name) => headers.has(name.toLowerCase()));
      if (!fits) return;
      reply.header('access-control-max-age', String(maxAge));
      reply.header('access-control-allow-methods', asked);
      if (wanted.length > 0) reply.header('access-control-allow-headers', wanted.join(','));
    } else if (exposeHeaders.length > 0) {
      reply.header('access-control-expose-headers', exposeHeaders.join(','));
    }
    reply.header('vary', 'Origin');
    reply.header('access-control-allow-origin', allowed);
    if (allowCredentials) reply.header('access-control-allow-credentials', 'true');
  };
}

function listOf(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
