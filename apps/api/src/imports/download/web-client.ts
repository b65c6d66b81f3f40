import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { getCACertificates } from 'node:tls';
import { ServiceError } from '@glance/domain';
import type { AddressGuard } from './address-guard.js';
import type { UrlFilter } from './url-filter.js';

export interface WebParts {
  readonly filter: UrlFilter;
  readonly guard: AddressGuard;
  /** Milliseconds that a server may be silent. */
  readonly patience: number;
}

const mostRedirects = 10;
const redirects: readonly (number | undefined)[] = [301, 302, 303, 307, 308];
/** Headers that must not follow a redirect to somebody else. */
const confidential = ['authorization', 'x-auth-token'];

/** Asks servers that a client has named. */
export class WebClient {
  constructor(private readonly parts: WebParts) {}

  get patience(): number {
    return this.parts.patience;
  }

  /**
   * The answer to a GET, redirects followed, each of them as suspicious as the first URL. Fails with a `ServiceError` for
   * what no repetition can mend, and with whatever error the network had for the rest.
   */
  async get(from: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    let url = this.parts.filter.check(from);
    let sent = headers;
    for (let hops = 0; hops <= mostRedirects; hops += 1) {
      const response = await this.once(url, sent, signal);
      const { location } = response.headers;
      if (!redirects.includes(response.statusCode) || location === undefined) return response;
      response.destroy();
      const next = this.parts.filter.check(URL.parse(location, url.href)?.href ?? location);
      if (next.origin !== url.origin) sent = without(sent, confidential);
      url = next;
    }
    throw new ServiceError('Invalid', `${url.host} redirects more than ${mostRedirects} times.`);
  }

  private async once(url: URL, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    const { guard, patience } = this.parts;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    // What is stored is what the server has, not another form of it.
    const all = { 'accept-encoding': 'identity', 'user-agent': 'glance', ...headers };
    const options = { headers: all, agent: false as const, lookup: guard.lookup, signal };
    const request =
      url.protocol === 'https:' ? https.get(url, { ...options, ca: authorities() }) : http.get(url, options);
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
