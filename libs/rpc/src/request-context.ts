import { AsyncLocalStorage } from 'node:async_hooks';
import { inTrace, traceHeaders } from '@glance/tracing';

/** Whose request this process works on at this point, for every line of the log. */
export interface RequestContext {
  /** `req-…`: of this request only. */
  readonly requestId: string;
  /** The id that came with it, which other services may have in their logs, too. */
  readonly globalRequestId?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The request that is being worked on, here or where the call came from. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Everything that `work` does and waits for is for this request. */
export function inRequest<T>(context: RequestContext | undefined, work: () => T): T {
  return context ? storage.run(context, work) : work();
}

const headers = { requestId: 'x-openstack-request-id', globalRequestId: 'x-openstack-global-request-id' } as const;

/** The headers by which a message takes the current request and its trace along. */
export function requestHeaders(): Readonly<Record<string, string>> {
  const { requestId, globalRequestId } = currentRequest() ?? {};
  return {
    ...traceHeaders(),
    ...(requestId !== undefined && { [headers.requestId]: requestId }),
    ...(globalRequestId !== undefined && { [headers.globalRequestId]: globalRequestId }),
  };
}

/** Everything that `work` does and waits for is for the request that came with a message, and of its trace. */
export function inRequestOf<T>(given: Readonly<Record<string, unknown>> | undefined, work: () => T): T {
  return inTrace(given, () => inRequest(requestOf(given), work));
}

/** Undefined for a message that has none. */
function requestOf(given: Readonly<Record<string, unknown>> | undefined): RequestContext | undefined {
  const [requestId, globalRequestId] = [given?.[headers.requestId], given?.[headers.globalRequestId]];
  if (typeof requestId !== 'string') return undefined;
  return { requestId, ...(typeof globalRequestId === 'string' && { globalRequestId }) };
}
