import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../../bytes.js';
import { cancellation } from '../../cancellation.js';
import type { ReadOptions, StoreDriver } from '../../driver.js';
import type { AddressGuard } from '../../http/address-guard.js';
import { responseBytes } from '../../http/response-bytes.js';
import { resumedBytes } from '../../http/resumed-bytes.js';
import { beginOfRest, behind, type ServedData, servedData } from '../../http/served-data.js';
import { WebClient, type WebParts } from '../../http/web-client.js';

/** How often in a row a download may break off. */
const retries = 5;

export interface HttpDriverSettings extends Omit<WebParts, 'check' | 'lookup'> {
  /** Keeps requests away from networks that clients could not reach themselves. Not asked where a proxy looks. */
  readonly guard: AddressGuard;
}

/** Images that web servers have, by their URLs. They are read, and nothing else. */
export class HttpDriver implements StoreDriver {
  readonly capabilities = { write: false, delete: false, seek: true };
  readonly #settings: HttpDriverSettings;
  readonly #client: WebClient;

  constructor(settings: HttpDriverSettings) {
    this.#settings = settings;
    this.#client = new WebClient({
      ...settings,
      check: (url) => this.#check(url),
      lookup: settings.guard.lookup,
    });
  }

  async open(): Promise<void> {
    // Any server may be named.
  }

  write(): Promise<string> {
    return Promise.reject(readOnly());
  }

  delete(): Promise<void> {
    return Promise.reject(readOnly());
  }

  async discard(): Promise<void> {
    // Nothing was ever written.
  }

  async close(): Promise<void> {
    this.#settings.agents?.http?.destroy();
    this.#settings.agents?.https?.destroy();
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const served = await this.#look(url, signal);
    const { size } = served;
    const end = Math.min(size, offset + (length ?? size));
    let opened = false;
    const open = async (start: number): Promise<Bytes> => {
      const again = opened;
      opened = true;
      return this.#from(url, { start, end, again }, served, signal);
    };
    return { size, data: resumedBytes({ start: offset, end, retries, signal, open }) };
  }

  async size(url: string, signal: AbortSignal): Promise<number> {
    return (await this.#look(url, signal)).size;
  }

  accepts(url: string): boolean {
    try {
      return this.#check(url).hostname !== '';
    } catch {
      return false;
    }
  }

  #check(text: string): URL {
    const url = URL.parse(text);
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
      throw new ServiceError('BadLocation', 'The location is not a URL of a web server.');
    }
    const { agents, guard } = this.#settings;
    const proxied = url.protocol === 'https:' ? agents?.https : agents?.http;
    if (!proxied && !guard.accepts(url.hostname.replace(/^\[|\]$|\.$/g, ''))) throw guard.refusal(url.hostname);
    return url;
  }

  /** What the server has, without fetching it. */
  async #look(url: string, signal: AbortSignal): Promise<ServedData & { size: number }> {
    let response = await this.#ask('head', url, {}, signal);
    // Servers that know no HEAD, and those that sign URLs for one method.
    if ([400, 403, 405, 501].includes(response.statusCode ?? 0)) {
      response = await this.#ask('get', url, {}, signal);
      response.destroy();
    }
    if (response.statusCode !== 200) throw refused(response);
    const { size, ...served } = servedData(response);
    if (size === undefined) throw new ServiceError('BadLocation', 'The web server does not say how long its data is.');
    return { ...served, size };
  }

  async #from(
    url: string,
    { start, end, again }: { start: number; end: number; again: boolean },
    served: ServedData & { size: number },
    signal: AbortSignal,
  ): Promise<Bytes> {
    const partly = start > 0 || end < served.size;
    const { validator } = served;
    const range = { range: `bytes=${start}-${end - 1}`, ...(validator !== undefined && { 'if-range': validator }) };
    const response = await this.#ask('get', url, partly ? range : {}, signal);
    const begin = beginOfPart(response, served, { start, again });
    if (begin === undefined) {
      response.destroy();
      if (response.statusCode !== 200 && response.statusCode !== 206) throw refused(response);
      throw new ServiceError('StorageDenied', 'The web server has other data now, or does not say whether it has.');
    }
    return behind(start - begin, responseBytes(response, this.#client.patience));
  }

  async #ask(
    method: 'get' | 'head',
    url: string,
    headers: OutgoingHttpHeaders,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    try {
      return await this.#client[method](url, headers, signal);
    } catch (error) {
      if (signal.aborted) throw cancellation(signal);
      if (!isServiceError(error)) throw unreachable(error);
      // It is not whoever wants the image who is wrong.
      throw error.code === 'Invalid' ? new ServiceError('StoreUnavailable', error.message) : error;
    }
  }
}

/** Where the body begins; without a validator only a first request is believed to be about the same data. */
function beginOfPart(
  response: IncomingMessage,
  served: ServedData,
  { start, again }: { start: number; again: boolean },
): number | undefined {
  const { validator } = served;
  if (validator !== undefined || response.statusCode === 206) {
    return again && validator === undefined ? undefined : beginOfRest(response, served, start);
  }
  return response.statusCode === 200 && !again && servedData(response).size === served.size ? 0 : undefined;
}

const readOnly = (): ServiceError => new ServiceError('StoreDisabled', 'This store only reads.');

function refused({ statusCode = 0, statusMessage }: IncomingMessage): ServiceError {
  if (statusCode === 404 || statusCode === 410)
    return new ServiceError('DataNotFound', 'The web server has no such data.');
  const message = `The web server answered ${statusCode} (${statusMessage}).`;
  return new ServiceError(statusCode === 401 || statusCode === 403 ? 'StorageDenied' : 'StoreUnavailable', message);
}

function unreachable(error: unknown): ServiceError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/CERT|SELF_SIGNED|ALTNAME|ISSUER|VERIFY/.test(code)) {
    const message = `The web server cannot be reached: ${(error as Error).message}`;
    return new ServiceError('StoreUnavailable', message, {}, { cause: error });
  }
  const message = `The certificate of the web server is not to be trusted (${code}); see https_ca_certificates_file.`;
  return new ServiceError('StoreUnavailable', message, {}, { cause: error });
}
