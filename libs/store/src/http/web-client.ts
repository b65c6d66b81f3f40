import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { type ConnectionOptions, getCACertificates } from 'node:tls';
import { ServiceError } from '@glance/domain';

export interface WebParts {
  /** The URL in its one form, if it may be asked; for the first one, and for each that is redirected to. */
  readonly check: (url: string) => URL;
  /** Finds the address of a host, or refuses to. The system's if absent. */
  readonly lookup?: LookupFunction;
  /** Milliseconds that a server may be silent. */
  readonly patience: number;
  /** 10 if absent. */
  readonly mostRedirects?: number;
  /** How servers prove who they are; by Node's authorities and those of this machine if absent. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'rejectUnauthorized'>;
  /** Ways to servers that are not direct. */
  readonly agents?: { readonly http?: http.Agent; readonly https?: https.Agent };
}

const redirects: readonly (number | undefined)[] = [301, 302, 303, 307, 308];
/** Headers that must not follow a redirect to somebody else. */
const confidential = ['authorization', 'x-auth-token'];

/** Asks servers for what is at a URL. */
export class WebClient {
  constructor(private readonly parts: WebParts) {}

  get patience(): number {
    return this.parts.patience;
  }

  /** As `get`, for the headers of the answer only. */
  async head(url: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#ask('HEAD', url, headers, signal);
    response.destroy();
    return response;
  }

  /**
   * The answer to a GET, redirects followed, each of them as suspicious as the first URL. Fails with a `ServiceError` for
   * what no repetition can mend, and with whatever error the network had for the rest.
   */
  get(url: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#ask('GET', url, headers, signal);
  }

  async #ask(
    method: string,
    from: string,
    headers: OutgoingHttpHeaders,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { check, mostRedirects = 10 } = this.parts;
    let url = check(from);
    let sent = headers;
    for (let hops = 0; hops <= mostRedirects; hops += 1) {
      const response = await this.#once(method, url, sent, signal);
      const { location } = response.headers;
      if (!redirects.includes(response.statusCode) || location === undefined) return response;
      response.destroy();
      const next = check(URL.parse(location, url.href)?.href ?? location);
      if (next.origin !== url.origin) sent = without(sent, confidential);
      url = next;
    }
    throw new ServiceError('Invalid', `${url.host} redirects more than ${mostRedirects} times.`);
  }

  async #once(method: string, url: URL, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    const { lookup, patience, tls, agents } = this.parts;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    // What is stored is what the server has, not another form of it.
    const all = { 'accept-encoding': 'identity', 'user-agent': 'glance', ...headers };
    const options = { method, headers: all, signal, ...(lookup && { lookup }) };
    const request =
      url.protocol === 'https:'
        ? https.request(url, { ...options, agent: agents?.https ?? false, ...(tls ?? { ca: authorities() }) })
        : http.request(url, { ...options, agent: agents?.http ?? false });
    request.end();
    const silent = new Error(`${url.host} did not answer within ${patience / 1000} s.`);
    const timer = setTimeout(() => request.destroy(silent), patience);
    request.once('response', resolve).on('error', reject);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

function without(headers: OutgoingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

let known: string[] | undefined;

/** Also those that the operator of this machine trusts. */
const authorities = (): string[] => (known ??= [...getCACertificates('default'), ...getCACertificates('system')]);
