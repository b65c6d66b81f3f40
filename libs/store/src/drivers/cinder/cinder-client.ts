import { isServiceError, ServiceError } from '@glance/domain';
import { cancellation, pausing } from '../../cancellation.js';
import {
  type Login,
  type OpenstackAccount,
  OpenstackSession,
  type WantedEndpoint,
} from '../../http/openstack-session.js';
import { RestClient, type RestClientSettings } from '../../http/rest-client.js';
import { storeError } from '../../store-error.js';

export interface CinderClientSettings extends RestClientSettings {
  readonly account: OpenstackAccount;
  readonly wanted: WantedEndpoint;
  /** URL instead of that in the catalogue, with `%(project_id)s` in it. */
  readonly template: string | undefined;
  /** How often what may be repeated is. */
  readonly retries: number;
}

export interface CinderRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Behind the project. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** The first with modes of attachments: Stein. */
const microversion = 'volume 3.54';
const passing: readonly number[] = [408, 429, 500, 502, 503, 504];
/** Milliseconds before its end from which on a token is not used. */
const spare = 60_000;

/** Asks the Block Storage API v3 as one user. Errors are `ServiceError`s, `details.status` is that of the answer. */
export class CinderClient {
  readonly #settings: CinderClientSettings;
  readonly #rest: RestClient;
  readonly #session: OpenstackSession;

  constructor(settings: CinderClientSettings) {
    this.#settings = settings;
    this.#rest = new RestClient(settings);
    this.#session = new OpenstackSession({
      client: this.#rest,
      account: settings.account,
      wanted: settings.wanted,
      spare,
      options: 'cinder_store_auth_address, cinder_store_user_name and cinder_store_password',
    });
  }

  get patience(): number {
    return this.#settings.patience;
  }

  /** The JSON of an answer that is no error. A POST is never sent twice, unless its token was refused. */
  async ask<T>({ method, path, body, signal }: CinderRequest): Promise<T> {
    const repeatable = method !== 'POST';
    for (let tries = 0; ; tries++) {
      const login = this.#session.login();
      const known = await login;
      const sent = this.#once(method, this.#endpoint(known) + path, body, known, signal);
      const answer = await sent.catch((error: unknown) => {
        if (signal.aborted) throw cancellation(signal);
        if (!repeatable || tries >= this.#settings.retries) throw unreachable(error);
        return undefined;
      });
      if (answer && answer.status < 300) return (answer.body === '' ? {} : JSON.parse(answer.body)) as T;
      if (answer?.status === 401 && tries === 0) {
        this.#session.forget(login);
        continue;
      }
      const final = !repeatable || tries >= this.#settings.retries || !passing.includes(answer?.status ?? 503);
      if (answer && final) throw refused(answer.status, answer.body);
      await pausing(Math.min(100 * 2 ** tries, 10_000), signal);
    }
  }

  close(): void {
    this.#rest.close();
  }

  async #once(
    method: string,
    url: string,
    body: unknown,
    { token }: Login,
    signal: AbortSignal,
  ): Promise<{ status: number; body: string }> {
    const headers = {
      'x-auth-token': token,
      'openstack-api-version': microversion,
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.#rest.ask({ method, url, headers, ...json, once: method === 'POST', signal });
  }

  #endpoint({ endpoint, projectId = '' }: Login): string {
    const { template } = this.#settings;
    const url = template?.replace(/%\((?:tenant|tenant_id|project|project_id)\)s/g, projectId) ?? endpoint;
    if (url !== undefined) return url.replace(/\/+$/, '');
    const message = 'The catalogue has no such Cinder; see cinder_catalog_info and cinder_os_region_name.';
    throw new ServiceError('StorageDenied', message);
  }
}

function refused(status: number, body: string): ServiceError {
  const options = { cause: new Error(body.slice(0, 2000)) };
  const details = { status };
  if (status === 404) return new ServiceError('DataNotFound', 'The store has no such data.', details, options);
  if (status === 413) return new ServiceError('StorageFull', 'The quota of Cinder is used up.', details, options);
  if (status === 406) {
    const message = 'Cinder does not know the microversion 3.54: it must be of Stein or later.';
    return new ServiceError('StorageDenied', message, details, options);
  }
  if (status === 401 || status === 403) {
    const message = 'Cinder gives the user of the store no right to do this.';
    return new ServiceError('StorageDenied', message, details, options);
  }
  // What the volume is in no state for.
  if (status === 400 || status === 409) {
    return new ServiceError('DataInUse', `Cinder refuses: ${reasonIn(body)}`, details, options);
  }
  return new ServiceError('StoreUnavailable', `Cinder answered ${status}.`, details, options);
}

/** `{"badRequest": {"message": "…", "code": 400}}`. */
function reasonIn(body: string): string {
  return /"message":\s*"((?:[^"\\]|\\.){1,300})/.exec(body)?.[1] ?? 'it does not say why.';
}

function unreachable(error: unknown): ServiceError {
  if (isServiceError(error)) return error;
  const { code, message, details } = storeError(error);
  if (code !== 'StoreUnavailable') return new ServiceError(code, message, details, { cause: error });
  return new ServiceError('StoreUnavailable', 'Cinder does not answer.', {}, { cause: error });
}
