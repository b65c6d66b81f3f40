import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { Bytes } from '../bytes.js';
import { cancellation } from '../cancellation.js';
import { BodySender } from './body-sender.js';

export interface RestAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Its beginning, if it is long. */
  readonly body: string;
}

export interface RestRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly signal: AbortSignal;
}

interface BodiedRequest extends RestRequest {
  readonly body?: string | Buffer;
  /** It must not be sent twice, so it gets a connection of its own: one that was kept may be closed by the time. */
  readonly once?: boolean;
}

export interface RestClientSettings {
  /** Milliseconds that a server may be silent. */
  readonly patience: number;
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'rejectUnauthorized'>;
}

type Agents = Readonly<Record<'http:' | 'https:', http.Agent>>;

/** Characters of an answer that are read. */
const mostText = 4 * 1024 * 1024;

/** Asks servers that the configuration names. Every answer is one, whatever its status; who hears none gets an error. */
export class RestClient {
  readonly #settings: RestClientSettings;
  readonly #kept = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };
  /** For connections that serve one request; those of TLS know the server from earlier ones. */
  readonly #own = { 'http:': new http.Agent(), 'https:': new https.Agent() };

  constructor(settings: RestClientSettings) {
    this.#settings = settings;
  }

  get patience(): number {
    return this.#settings.patience;
  }

  close(): void {
    for (const agents of [this.#kept, this.#own]) for (const agent of Object.values(agents)) agent.destroy();
  }

  /** The answer as text. */
  async ask(request: BodiedRequest): Promise<RestAnswer> {
    return this.#read(await this.open(request), request.signal);
  }

  /** The answer, whose body is the caller's to read or to destroy. */
  async open({ body, once = false, ...request }: BodiedRequest): Promise<IncomingMessage> {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const agents = once ? this.#own : this.#kept;
    const outgoing = this.#request({ ...request, headers: { ...request.headers, ...length } }, agents);
    const sender = new BodySender(outgoing, this.#settings.patience);
    outgoing.end(body);
    return this.#answer(sender, request.signal);
  }

  /** Sends `data` as it comes, over a connection of its own. A server that answers early gets no more of it. */
  async send({ data, ...request }: RestRequest & { readonly data: Bytes }): Promise<RestAnswer> {
    const outgoing = this.#request(request, this.#own);
    const sender = new BodySender(outgoing, this.#settings.patience);
    try {
      for await (const chunk of data) if (!(await sender.write(chunk))) break;
      outgoing.end();
      return await this.#read(await this.#answer(sender, request.signal), request.signal);
    } finally {
      // Also where only the data has failed: the server must not take a part for the whole.
      outgoing.destroy();
    }
  }

  #request({ method, url, headers = {}, signal }: RestRequest, agents: Agents): http.ClientRequest {
    const options = { method, headers, signal };
    return url.startsWith('https:')
      ? https.request(url, { ...options, agent: agents['https:'], ...this.#settings.tls })
      : http.request(url, { ...options, agent: agents['http:'] });
  }

  async #answer(sender: BodySender, signal: AbortSignal): Promise<IncomingMessage> {
    try {
      return await sender.answer();
    } catch (error) {
      throw signal.aborted ? cancellation(signal) : error;
    }
  }

  async #read(message: IncomingMessage, signal: AbortSignal): Promise<RestAnswer> {
    const { statusCode: status = 0, headers } = message;
    const stop = (): unknown => message.destroy(cancellation(signal));
    signal.addEventListener('abort', stop);
    message.setTimeout(this.#settings.patience, () => message.destroy(new Error('The server stopped in its answer.')));
    let body = '';
    try {
      for await (const piece of message.setEncoding('utf8')) {
        body += piece as string;
        if (body.length > mostText) break;
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
    return { status, headers, body };
  }
}
