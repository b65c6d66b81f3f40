import type { Caller } from '@glance/domain';
import type { FastifyRequest } from 'fastify';

/** Tells who sends a request. Fails with `Unauthenticated` if that stays open. */
export interface Identity {
  /** What `WWW-Authenticate` says to who is not accepted. */
  readonly challenge?: string;
  identify(request: FastifyRequest): Caller | Promise<Caller>;
  /** Lets go of its connections. */
  close?(): void;
}
