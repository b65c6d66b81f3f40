import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { cancellation, pausing } from '../../cancellation.js';
import type { Login, OpenstackSession } from '../../http/openstack-session.js';
import type { RestAnswer, RestClient } from '../../http/rest-client.js';
import { dataExists, storeError } from '../../store-error.js';

export interface SwiftRequest {
  readonly method: string;
  /** Of an account, or of what is in it. */
  readonly url: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly signal: AbortSignal;
}

const passing: readonly number[] = [408, 429, 498, 500, 502, 503, 504];
const mostTries = 4;

/** Asks Swift as one user, with a token that holds. Errors are `ServiceError`s, and what is gone is `DataNotFound`. */
export class SwiftClient {
  readonly #rest: RestClient;
  readonly #session: OpenstackSession;
  readonly #endpoint: string | undefined;

  /** `endpoint`: the URL of the account, if the log-in does not say it. */
  constructor(rest: RestClient, session: OpenstackSession, endpoint: string | undefined) {
    this.#rest = rest;
    this.#session = session;
    this.#endpoint = endpoint;
  }

  get patience(): number {
    return this.#rest.patience;
  }

  /** The URL of the account of this user. */
  async account(): Promise<string> {
    const url = this.#endpoint ?? (await this.#session.login()).endpoint;
    if (url !== undefined) return url.replace(/\/+$/, '');
    const message =
      'The catalogue has no such Swift service; see swift_store_service_type, _endpoint_type and _region.';
    throw new ServiceError('StorageDenied', message);
  }

  /** The URL of the account of a project. */
  async accountOf(project: string): Promise<string> {
    const [, before, last] = /^(.*\/)([^/]*)$/.exec(await this.account())!;
    const [, prefix] = /^([A-Za-z]+_)/.exec(last!) ?? [];
    return prefix === undefined ? `${before}${last}/AUTH_${project}` : `${before}${prefix}${project}`;
  }

  /** An answer that is not an error; repeated when it fails for a passing reason. */
  async ask(request: SwiftRequest): Promise<RestAnswer> {
    return this.#persistently(request.signal, async (login) => {
      const answer = await this.#rest.ask({ ...request, headers: authorized(request.headers, login) });
      return { status: answer.status, answer };
    });
  }

  /** A GET whose body is the caller's. */
  async read(url: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#persistently(signal, async (login) => {
      const all = authorized(headers, login);
      const answer = await this.#rest.open({ method: 'GET', url, headers: all, signal });
      const { statusCode: status = 0 } = answer;
      if (status >= 300) answer.destroy();
      return { status, answer };
    });
  }

  /** Sends data that there is only once: what fails, fails. */
  async send(url: string, headers: OutgoingHttpHeaders, data: Bytes, signal: AbortSignal): Promise<RestAnswer> {
    const login = await this.#session.login();
    const all = authorized(headers, login);
    const answer = await this.#rest.send({ method: 'PUT', url, headers: all, data, signal });
    if (answer.status >= 300) throw refused(answer.status);
    return answer;
  }

  async #persistently<T>(
    signal: AbortSignal,
    once: (login: Login) => Promise<{ status: number; answer: T }>,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      const login = this.#session.login();
      const outcome = await once(await login).catch((error: unknown) => {
        if (signal.aborted) throw cancellation(signal);
        if (isServiceError(error) || tries >= mostTries) throw storeError(error);
        return undefined;
      });
      if (outcome && outcome.status < 300) return outcome.answer;
      if (outcome?.status === 401 && tries === 1) this.#session.forget(login);
      else if (outcome && (tries >= mostTries || !passing.includes(outcome.status))) throw refused(outcome.status);
      await pausing(100 * 2 ** tries, signal);
    }
  }
}

const authorized = (headers: OutgoingHttpHeaders | undefined, { token }: Login): OutgoingHttpHeaders => ({
  ...headers,
  'x-auth-token': token,
});

function refused(status: number): ServiceError {
  if (status === 404) return new ServiceError('DataNotFound', 'The store has no such data.', { status });
  if (status === 401 || status === 403) {
    return new ServiceError('StorageDenied', 'Swift gives the user of the store no right to do this.');
  }
  if (status === 409 || status === 412) return dataExists();
  if (status === 413 || status === 507) return new ServiceError('StorageFull', 'The store has no room left.');
  return new ServiceError('StoreUnavailable', `Swift answered ${status}.`, { status });
}
