import type { FastifyRequest } from 'fastify';

/** The token that a client sends for itself. */
export function tokenOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return single(headers['x-auth-token'] ?? headers['x-storage-token']);
}

/** The one value of a header that is not empty. */
export function single(header: string | string[] | undefined): string | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  return value === '' ? undefined : value;
}
