import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { ServiceError } from '@glance/domain';
import { beginSpan, traceHeaders } from '@glance/tracing';
import type { KeystoneAccount } from './keystone-account.js';

/** What Keystone says of a token: the `token` of its reply (Identity API v3, "Validate and show information for token"). */
export interface TokenFacts {
  readonly expires_at: string;
  readonly user: { readonly id: string };
  readonly project?: { readonly id: string };
  readonly system?: unknown;
  readonly domain?: unknown;
  readonly roles?: readonly { readonly name: string }[];
  readonly application_credential?: { readonly access_rules?: readonly AccessRule[] };
}

/** What an application credential may be used for. */
export interface AccessRule {
  readonly service: string;
  readonly method: string;
  readonly path: string;
}

/** A service in a catalogue, and where it is (Identity API v3, "Get service catalog"). */
export interface CatalogueEntry {
  readonly type: string;
  readonly endpoints: readonly {
    readonly id?: string;
    readonly interface: string;
    readonly region?: string;
    readonly region_id?: string;
    readonly url: string;
  }[];
}

/** Where the wanted service is; undefined if the catalogue does not say. Without a region, any is right; case does not matter. */
export function endpointIn(
  catalogue: readonly CatalogueEntry[],
  wanted: { readonly type: string; readonly interface: string; readonly region?: string | undefined },
): string | undefined {
  return catalogue
    .filter(({ type }) => type === wanted.type)
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ region_id: id, region }) => wanted.region === undefined || same(id ?? region, wanted.region))
    .find((endpoint) => endpoint.interface === wanted.interface)?.url;
}

const same = (one: string | undefined, other: string): boolean => one?.toLowerCase() === other.toLowerCase();

/** What came of logging in as the service. */
export interface Login {
  readonly status: number;
  /** Milliseconds of the epoch, to the second: Keystone's clock. */
  readonly date: number | undefined;
  /** Absent if Keystone did not let it in. */
  readonly token?: TokenFacts & { readonly catalog?: readonly CatalogueEntry[] };
}

interface KeystoneRequest {
  readonly method: 'GET' | 'POST';
  /** From `/v3` on, with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

const down = (cause?: unknown): ServiceError =>
  new ServiceError('Unavailable', 'The identity service does not answer. Try again.', {}, { cause });

/** Talks to Keystone v3 as the service's own user. Fails with `Unavailable` when Keystone does not answer. */
export class KeystoneClient {
  private readonly base: string;
  private readonly agent: http.Agent;
  private login: Promise<string> | undefined;

  constructor(private readonly settings: KeystoneAccount) {
    const { authUrl, cafile, certfile, keyfile, insecure, group } = settings;
    if (!authUrl) throw new ServiceError('Invalid', `${group} auth_url is not set, and is needed to ask Keystone.`);
    const read = (option: string, path: string | undefined) => readPem(`${group} ${option}`, path);
    this.base = authUrl.replace(/\/+$/, '').replace(/\/v3$/, '');
    this.agent = this.base.startsWith('https:')
      ? new https.Agent({
          keepAlive: true,
          rejectUnauthorized: !insecure,
          ca: read('cafile', cafile),
          cert: read('certfile', certfile),
          key: read('keyfile', keyfile),
        })
      : new http.Agent({ keepAlive: true });
  }

  /** What Keystone knows of `token`, or undefined if it does not accept it. `allowExpired`: also one that ran out lately. */
  async validate(token: string, allowExpired: boolean): Promise<TokenFacts | undefined> {
    const path = `/v3/auth/tokens?nocatalog${allowExpired ? '&allow_expired=1' : ''}`;
    const headers = { 'x-subject-token': token, 'openstack-identity-access-rules': '1' };
    return (await this.get<{ token: TokenFacts }>(path, headers))?.token;
  }

  /** The JSON at `path` (`/v3/…`), asked for as the service; undefined if there is no such thing. */
  async get<T>(path: string, headers: Record<string, string> = {}): Promise<T | undefined> {
    for (const again of [true, false]) {
      const own = this.token();
      const reply = await this.request({ method: 'GET', path, headers: { ...headers, 'x-auth-token': await own } });
      if (reply.status === 200) return JSON.parse(reply.body) as T;
      if (reply.status === 404) return undefined;
      // Our own token ran out: log in once more.
      if (reply.status !== 401 || !again) throw down(new Error(`Keystone answered ${reply.status} to the service.`));
      if (this.login === own) this.login = undefined;
    }
    return undefined;
  }

  /** The catalogue of whoever `token` belongs to. `Unauthenticated` if it is not accepted any more. */
  async catalogueOf(token: string): Promise<readonly CatalogueEntry[]> {
    const headers = { 'x-auth-token': token };
    const reply = await this.request({ method: 'GET', path: '/v3/auth/catalog', headers });
    if (reply.status === 200) return (JSON.parse(reply.body) as { catalog: CatalogueEntry[] }).catalog;
    if (reply.status !== 401)
      throw down(new Error(`Keystone answered ${reply.status} to a request for the catalogue.`));
    throw new ServiceError('Unauthenticated', 'The token is not valid any more: log in again.');
  }

  /** A token of the account, which may be some time old. */
  token(): Promise<string> {
    return (this.login ??= this.logIn());
  }

  /** Logs in anew, and says what came of it. */
  async introduce(): Promise<Login> {
    const { status, headers, body } = await this.authenticate();
    const date = headers.date === undefined ? undefined : Date.parse(headers.date);
    return { status, date, ...(status === 201 && (JSON.parse(body) as Required<Pick<Login, 'token'>>)) };
  }

  close(): void {
    this.agent.destroy();
  }

  private async logIn(): Promise<string> {
    try {
      const reply = await this.authenticate();
      const token = reply.headers['x-subject-token'];
      if (reply.status !== 201 || typeof token !== 'string') {
        throw down(
          new Error(`Keystone answered ${reply.status} to the service’s own login: check ${this.settings.group}.`),
        );
      }
      return token;
    } catch (error) {
      this.login = undefined;
      throw error;
    }
  }

  private authenticate(): Promise<Reply> {
    const body = JSON.stringify({ auth: this.credentials() });
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
    return this.request({ method: 'POST', path: '/v3/auth/tokens', headers, body });
  }

  private credentials(): object {
    const s = this.settings;
    if (s.authType === 'v3applicationcredential') {
      const { applicationCredentialId: id, applicationCredentialSecret: secret } = s;
      return { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
    }
    const domain = (id: string | undefined, name: string | undefined): object =>
      id ? { id } : name ? { name } : { id: 'default' };
    const user = {
      ...(s.userId ? { id: s.userId } : { name: s.username, domain: domain(s.userDomainId, s.userDomainName) }),
      password: s.password,
    };
    const identity = { methods: ['password'], password: { user } };
    if (s.systemScope) return { identity, scope: { system: { [s.systemScope]: true } } };
    const project = s.projectId
      ? { id: s.projectId }
      : { name: s.projectName, domain: domain(s.projectDomainId, s.projectDomainName) };
    return { identity, scope: { project } };
  }

  private async request(request: KeystoneRequest): Promise<Reply> {
    for (let attempt = 0; ; attempt++) {
      try {
        const reply = await this.traced(request, attempt);
        if (reply.status < 500) return reply;
        if (attempt >= this.settings.httpRequestMaxRetries) throw new Error(`Keystone answered ${reply.status}.`);
      } catch (error) {
        if (attempt >= this.settings.httpRequestMaxRetries) throw down(error);
      }
    }
  }

  /** Sends it as a step of the current trace (OpenTelemetry, "Semantic conventions for HTTP spans"). */
  private async traced(request: KeystoneRequest, attempt: number): Promise<Reply> {
    const { method, path } = request;
    const url = new URL(this.base + path);
    const attributes = {
      'http.request.method': method,
      'server.address': url.hostname,
      'server.port': Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
      // A query has ids of projects.
      'url.full': url.origin + url.pathname,
      ...(attempt > 0 && { 'http.request.resend_count': attempt }),
    };
    const span = beginSpan({ name: `${method} ${path.split('?')[0]!}`, kind: 'client', attributes });
    try {
      const reply = await span.within(() => this.send(url, request));
      const { status } = reply;
      span.end({ error: status >= 400 ? String(status) : '', attributes: { 'http.response.status_code': status } });
      return reply;
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      span.end({ error: code ?? name });
      throw error;
    }
  }

  private send(url: URL, { method, headers, body }: KeystoneRequest): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const { request: ask } = url.protocol === 'https:' ? https : http;
    const signal = AbortSignal.timeout(this.settings.httpConnectTimeout * 1000);
    const options = { method, headers: { ...headers, ...traceHeaders() }, agent: this.agent, signal };
    const request = ask(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
    });
    request.on('error', reject);
    request.end(body);
    return promise;
  }
}

function readPem(option: string, path: string | undefined): Buffer | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ServiceError('Invalid', `${option}: ${(error as Error).message}`);
  }
}
