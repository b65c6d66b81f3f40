import type { FastifyRequest } from 'fastify';

/** The URL under which the client reached the service, without a trailing slash. */
export type BaseUrl = (request: FastifyRequest) => string;

/** Says how to tell the base URL: what a proxy in front says is believed only if `believeProxy`. */
export function baseUrl(believeProxy: boolean): BaseUrl {
  return (request) => {
    const { headers, socket } = request.raw;
    const direct = headers.host ?? `${socket.localAddress ?? 'localhost'}:${socket.localPort ?? 80}`;
    if (!believeProxy) return `http://${direct}`;
    const forwarded = parseForwarded(first(headers.forwarded));
    const scheme = forwarded['proto'] ?? first(headers['x-forwarded-proto']) ?? 'http';
    const host = forwarded['host'] ?? first(headers['x-forwarded-host']) ?? direct;
    const prefix = first(headers['x-forwarded-prefix']) ?? '';
    return `${scheme}://${host}${prefix.replace(/\/+$/, '')}`;
  };
}

/** The first of several values: the one of the proxy that the client talked to. */
function first(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  return text?.split(',')[0]?.trim() || undefined;
}

function parseForwarded(value: string | undefined): Readonly<Record<string, string>> {
  const pairs = (value ?? '').split(';').map((pair) => {
    const [key = '', text = ''] = pair.split('=');
    return [key.trim().toLowerCase(), text.trim().replace(/^"|"$/g, '')] as const;
  });
  return Object.fromEntries(pairs.filter(([, text]) => text !== ''));
}
