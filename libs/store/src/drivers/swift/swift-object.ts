import { isServiceError, ServiceError } from '@glance/domain';
import { discarded, ignoringMissing } from '../../store-error.js';
import type { SwiftClient } from './swift-client.js';
import { swiftEntries } from './swift-entries.js';
import type { Segment } from './write-segments.js';

/** Metadata of an object that says which upload it came from. */
const uploadMark = 'x-object-meta-glance-upload';

/** Deletions that are asked for at a time. */
const parallel = 8;

/** An image in a container, by the URL of that: what lists its segments, and the segments. */
export class SwiftObject {
  readonly #client: SwiftClient;
  readonly container: string;
  readonly name: string;

  constructor(client: SwiftClient, container: string, name: string) {
    this.#client = client;
    this.container = container;
    this.name = name;
  }

  get url(): string {
    return `${this.container}/${encodeURIComponent(this.name)}`;
  }

  /** Bytes of all segments; `DataNotFound` if it is missing. */
  async size(signal: AbortSignal): Promise<number> {
    return Number((await this.#head(signal))['content-length']);
  }

  async exists(signal: AbortSignal): Promise<boolean> {
    return (await ignoringMissing(this.#head(signal))) !== undefined;
  }

  /** Makes an image of segments; fails if one of them is missing, or if there is an image of that name. */
  async publish(segments: readonly Segment[], { token, slo }: { token: string; slo: boolean }): Promise<void> {
    const path = decodeURIComponent(new URL(this.container).pathname.split('/').at(-1)!);
    const headers = { 'if-none-match': '*', [uploadMark]: token };
    const parts = segments.map(({ name, etag, size }) => ({ path: `/${path}/${name}`, etag, size_bytes: size }));
    const manifest = { 'x-object-manifest': `${encodeURIComponent(path)}/${this.#prefixOf(token)}` };
    const signal = new AbortController().signal;
    const request =
      segments.length > 0 && slo
        ? { url: `${this.url}?multipart-manifest=put`, headers, body: JSON.stringify(parts) }
        : { url: this.url, headers: { ...headers, ...(segments.length > 0 && manifest) }, body: '' };
    try {
      await this.#client.ask({ method: 'PUT', ...request, signal });
    } catch (error) {
      if (isServiceError(error, 'DataExists') && (await this.isOf(token, signal))) return;
      throw badManifest(error);
    }
  }

  /** Whether it came from that upload. */
  async isOf(token: string, signal: AbortSignal): Promise<boolean> {
    return (await ignoringMissing(this.#head(signal)))?.[uploadMark] === token;
  }

  /** Name of a segment of an upload, counted from 1. */
  segmentName(token: string, number: number): string {
    return `${this.#prefixOf(token)}${String(number).padStart(5, '0')}`;
  }

  /** Removes the image, its segments first: as long as the list of them stands, it can be done again. */
  async delete(signal: AbortSignal): Promise<void> {
    const headers = await this.#head(signal);
    const manifest = headers['x-object-manifest'];
    if (typeof manifest === 'string') {
      const [container = '', ...prefix] = decodeURIComponent(manifest).split('/');
      await this.#deleteAll(await this.#listed(this.#beside(container), prefix.join('/'), signal), signal);
    } else if (String(headers['x-static-large-object']).toLowerCase() === 'true') {
      return this.#deleteStatic(signal);
    }
    await this.#remove(this.url, signal);
  }

  /** Removes the segments of one upload, or of all, also where no list of them was ever made. */
  async deleteSegments(signal: AbortSignal, token?: string): Promise<void> {
    const prefix = token === undefined ? `${this.name}-` : this.#prefixOf(token);
    const segments = await ignoringMissing(this.#listed(this.container, prefix, signal));
    await this.#deleteAll(segments ?? [], signal);
  }

  async #head(signal: AbortSignal): Promise<Readonly<Record<string, string | string[] | undefined>>> {
    return (await this.#client.ask({ method: 'HEAD', url: this.url, signal })).headers;
  }

  /** Segments and list in one request, whose answer says in its body how it went. */
  async #deleteStatic(signal: AbortSignal): Promise<void> {
    const url = `${this.url}?multipart-manifest=delete`;
    const { body } = await this.#client.ask({ method: 'DELETE', url, headers: { accept: 'application/json' }, signal });
    const { 'Response Status': status = '200' } = JSON.parse(body || '{}') as Readonly<Record<string, string>>;
    if (!/^(200|404)/.test(status))
      throw new ServiceError('StoreUnavailable', `Swift could not delete all: ${status}.`);
  }

  async #listed(container: string, prefix: string, signal: AbortSignal): Promise<string[]> {
    const found: string[] = [];
    for await (const { name } of swiftEntries(this.#client, container, prefix, signal)) {
      found.push(`${container}/${encoded(name)}`);
    }
    return found;
  }

  async #deleteAll(urls: readonly string[], signal: AbortSignal): Promise<void> {
    const waiting = [...urls];
    const work = async (): Promise<void> => {
      for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
        await ignoringMissing(this.#remove(url, signal));
      }
    };
    await Promise.all(Array.from({ length: parallel }, work));
  }

  #beside(container: string): string {
    return this.container.replace(/[^/]*$/, encodeURIComponent(container));
  }

  async #remove(url: string, signal: AbortSignal): Promise<void> {
    await this.#client.ask({ method: 'DELETE', url, signal });
  }

  #prefixOf(token: string): string {
    return `${this.name}-${token}-`;
  }
}

const encoded = (name: string): string => name.split('/').map(encodeURIComponent).join('/');

function badManifest(error: unknown): unknown {
  const gone = isServiceError(error) && (error.details['status'] === 400 || error.code === 'DataNotFound');
  return gone ? discarded(error) : error;
}
