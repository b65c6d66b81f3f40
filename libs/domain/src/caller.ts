/** Who makes a request, as the identity service vouches for it. Decides nothing by itself: policy does. */
export interface Caller {
  /** `req-…`: found in every log line and notification that the request causes. */
  readonly requestId: string;
  readonly userId: string | null;
  /** Images belong to projects; null for a caller without one (no authentication, anonymous). */
  readonly projectId: string | null;
  /** Lower case. */
  readonly roles: readonly string[];
  /** Roles of the service that passes the request on, from `X-Service-Token`. Lower case. */
  readonly serviceRoles: readonly string[];
  /** The token is good for the whole cloud instead of a project; images have no use for that. */
  readonly systemScope?: true;
  /** The token is good for a domain instead of a project. */
  readonly domainScope?: true;
  /** Nobody logged in, and that is allowed: may look at what is public. */
  readonly anonymous?: true;
}

/** The caller of an endpoint without authentication: an administrator without a project. */
export function unauthenticatedCaller(requestId: string): Caller {
  return { requestId, userId: null, projectId: null, roles: ['admin', 'member', 'reader'], serviceRoles: [] };
}

/** Whoever comes without a token where that is allowed. */
export function anonymousCaller(requestId: string): Caller {
  return { requestId, userId: null, projectId: null, roles: [], serviceRoles: [], anonymous: true };
}
