import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { cancellation, pausing } from '../../cancellation.js';
import { RestClient, type RestAnswer, type RestClientSettings } from '../../http/rest-client.js';
import { Answered, type Elements, type Reference, soapAnswer, soapRequest } from './soap.js';
import { faultError, fileError } from './vsphere-error.js';

export interface VsphereSettings extends RestClientSettings {
  /** Of vCenter or ESXi, with a port or without. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** How often what may be repeated is. */
  readonly retries: number;
  /** Milliseconds between two looks at a task, at most. */
  readonly pollInterval: number;
}

interface Session {
  readonly cookie: string;
  /** Managed objects by their names in `ServiceContent`. */
  readonly content: ReadonlyMap<string, Reference>;
}

export interface SoapCall {
  readonly method: string;
  /** An object, or the name of one of `ServiceContent`. */
  readonly target: Reference | string;
  readonly parameters: Elements;
  /** It does something that must not be done twice: it is sent once, over a connection of its own. */
  readonly once?: boolean;
  readonly signal: AbortSignal;
}

const longestPause = 10_000;
const serviceInstance: Reference = { type: 'ServiceInstance', value: 'ServiceInstance' };

/**
 * Speaks with vSphere as one user, in a session that is begun anew when it has ended. The vSphere Web Services API for what
 * is done, "HTTP access to vSphere Server files" of its programming guide for data. Errors are `ServiceError`s.
 */
export class VsphereClient {
  readonly #settings: VsphereSettings;
  readonly #rest: RestClient;
  #session: Promise<Session> | undefined;

  constructor(settings: VsphereSettings) {
    this.#settings = settings;
    this.#rest = new RestClient(settings);
  }

  get patience(): number {
    return this.#settings.patience;
  }

  /** What a method returns: every `returnval`. */
  async call(call: SoapCall): Promise<Answered[]> {
    return this.#inSession(call.signal, call.once !== true, async (session) => {
      const target = typeof call.target === 'string' ? named(session, call.target) : call.target;
      return (await this.#ask(call, target, session.cookie)).all('returnval');
    });
  }

  /** The result of a method that returns a task, once that has ended well. */
  async task(call: SoapCall): Promise<Answered | undefined> {
    const { signal } = call;
    const [task] = await this.call({ ...call, once: true });
    if (!task) throw new ServiceError('StoreUnavailable', `vSphere has begun no task for ${call.method}.`);
    for (let pause = 5; ; pause = Math.min(pause * 2, this.#settings.pollInterval)) {
      const [facts] = await this.properties([task.reference], ['info'], signal);
      const info = facts?.get('info');
      const state = info?.at('state')?.text;
      if (state === 'success') return info?.at('result');
      if (state === 'error') throw faultError(info?.at('error', 'fault')?.type ?? 'unknown fault');
      await pausing(pause, signal);
    }
  }

  /** Properties of objects of one type, by their paths; in the order of the objects. */
  async properties(
    objects: readonly Reference[],
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<(ReadonlyMap<string, Answered> | undefined)[]> {
    const [{ type }] = objects as [Reference];
    const specSet = {
      propSet: { type, pathSet: paths },
      objectSet: objects.map((obj) => ({ obj })),
    };
    const target = 'propertyCollector';
    const found = new Map<string | undefined, ReadonlyMap<string, Answered>>();
    let next: Pick<SoapCall, 'method' | 'parameters'> | undefined = {
      method: 'RetrievePropertiesEx',
      parameters: { specSet, options: {} },
    };
    while (next) {
      const [page] = await this.call({ ...next, target, signal });
      for (const object of page?.all('objects') ?? []) {
        const values = object.all('propSet').flatMap((each) => {
          const [name, value] = [each.at('name'), each.at('val')];
          return name && value ? [[name.text, value] as const] : [];
        });
        found.set(object.at('obj')?.text, new Map(values));
      }
      const token = page?.at('token')?.text;
      next = token === undefined ? undefined : { method: 'ContinueRetrievePropertiesEx', parameters: { token } };
    }
    return objects.map(({ value }) => found.get(value));
  }

  /** The headers of a file; `path` is that of its URL, with the query. */
  async head(path: string, signal: AbortSignal): Promise<RestAnswer['headers']> {
    const { headers } = await this.#inSession(signal, true, async ({ cookie }) => {
      const request = { method: 'HEAD', url: this.#url(path), headers: { cookie }, signal };
      return accepted(await this.#rest.ask(request));
    });
    return headers;
  }

  /** A file; the body of the answer is the caller's. */
  async get(path: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#inSession(signal, true, async ({ cookie }) => {
      const request = { method: 'GET', url: this.#url(path), headers: { ...headers, cookie }, signal };
      const answer = await this.#rest.open(request);
      const { statusCode: status = 0 } = answer;
      if (status >= 300) answer.destroy();
      accepted({ status });
      return answer;
    });
  }

  /** Sends data that there is only once, as a file: what fails, fails. */
  async put(path: string, data: Bytes, size: number | undefined, signal: AbortSignal): Promise<void> {
    const opening = this.#open();
    const { cookie } = await opening;
    const length = size === undefined ? {} : { 'content-length': size };
    const headers = { cookie, 'content-type': 'application/octet-stream', ...length };
    const answer = await this.#rest.send({ method: 'PUT', url: this.#url(path), headers, data, signal });
    if (answer.status === 401) this.#forget(opening);
    accepted(answer);
  }

  /** Ends the session. */
  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    if (session) {
      const call = { method: 'Logout', parameters: {}, signal: AbortSignal.timeout(5000) };
      await this.#ask(call, named(session, 'sessionManager'), session.cookie).catch(() => undefined);
    }
    this.#rest.close();
  }

  /** Does it again in a new session if this one has ended, and after a while if nobody answers and it may be repeated. */
  async #inSession<T>(signal: AbortSignal, repeatable: boolean, work: (session: Session) => Promise<T>): Promise<T> {
    let renewed = false;
    for (let tries = 0; ; tries++) {
      let opening: Promise<Session> | undefined;
      let begun = false;
      try {
        opening = this.#open();
        const session = await opening;
        begun = true;
        return await work(session);
      } catch (error) {
        if (signal.aborted) throw cancellation(signal);
        if (mayBeOver(error) && begun && !renewed) {
          this.#forget(opening);
          renewed = true;
          continue;
        }
        const final = isServiceError(error) && error.code !== 'StoreUnavailable';
        if (final || tries >= this.#settings.retries || (begun && !repeatable)) throw unavailable(error);
      }
      await pausing(Math.min(100 * 2 ** tries, longestPause), signal);
    }
  }

  #open(): Promise<Session> {
    if (this.#session) return this.#session;
    const session = this.#logIn();
    this.#session = session;
    session.catch(() => this.#forget(session));
    return session;
  }

  #forget(session: Promise<Session> | undefined): void {
    if (this.#session === session) this.#session = undefined;
  }

  async #logIn(): Promise<Session> {
    const { user: userName, password, patience } = this.#settings;
    const signal = AbortSignal.timeout(patience);
    const about = { method: 'RetrieveServiceContent', parameters: {}, signal };
    const [found] = (await this.#ask(about, serviceInstance)).all('returnval');
    const content = new Map(found?.all().map((each) => [each.name, each.reference]) ?? []);
    const login = { method: 'Login', parameters: { userName, password }, signal };
    let cookie = '';
    await this.#ask(login, named({ content }, 'sessionManager'), undefined, (answer) => {
      cookie = (answer.headers['set-cookie'] ?? []).map((each) => each.replace(/;.*$/, '')).join('; ');
    });
    return { cookie, content };
  }

  async #ask(
    { method, parameters, once = false, signal }: Omit<SoapCall, 'target'>,
    target: Reference,
    cookie?: string,
    look?: (answer: RestAnswer) => void,
  ): Promise<Answered> {
    const body = soapRequest(method, target, parameters);
    const headers = {
      'content-type': 'text/xml; charset=utf-8',
      soapaction: '"urn:vim25/6.0"',
      ...(cookie !== undefined && { cookie }),
    };
    const answer = await this.#rest.ask({ method: 'POST', url: this.#url('/sdk'), headers, body, once, signal });
    if (answer.status !== 200 && answer.status !== 500) throw fileError(answer.status);
    const content = soapAnswer(answer.body);
    if (content.name === 'Fault') {
      const fault = content.at('detail')?.all()[0];
      throw faultError(fault?.type || fault?.name || content.at('faultstring')?.text || 'unknown fault');
    }
    look?.(answer);
    return content;
  }

  #url(path: string): string {
    return `https://${this.#settings.host}${path}`;
  }
}

/** For requests of files: they have no faults. */
function accepted<A extends { readonly status: number }>(answer: A): A {
  if (answer.status >= 300) throw fileError(answer.status);
  return answer;
}

/** Whether the session may have ended. For files the user may have no right instead: a new session shows which. */
function mayBeOver(error: unknown): boolean {
  if (!isServiceError(error)) return false;
  const { fault, status } = error.details;
  return fault === 'NotAuthenticated' || status === 401 || status === 403;
}

function named({ content }: Pick<Session, 'content'>, name: string): Reference {
  const found = content.get(name);
  if (found) return found;
  throw new ServiceError('StorageDenied', `vmware_server_host is not a vSphere server: it has no ${name}.`);
}

function unavailable(error: unknown): ServiceError {
  if (isServiceError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : (error as Error).message;
  const certificate = /CERT|SELF_SIGNED|ALTNAME|ISSUER|VERIFY/.test(code);
  const message = certificate
    ? `The certificate of vmware_server_host is not to be trusted (${code}); see vmware_ca_file.`
    : `vmware_server_host does not answer (${code}).`;
  return new ServiceError('StoreUnavailable', message, {}, { cause: error });
}
