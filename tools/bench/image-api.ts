import { openAsBlob } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from './target.js';

export type Image = Readonly<Record<string, unknown>> & { readonly id: string; readonly tags: readonly string[] };

/** The few calls that prepare and check a measurement. Any answer but the expected one is an error. */
export class ImageApi {
  readonly #base: string;
  readonly #headers: Record<string, string>;

  constructor(target: Target) {
    this.#base = `http://${target.host}:${target.port}${target.path}`;
    const lines = target.headers.trimEnd().split('\r\n');
    const pairs = lines.map((line) => line.split(': ') as [string, string]);
    this.#headers = Object.fromEntries(pairs.filter(([name]) => name !== 'Host'));
  }

  async create(image: object): Promise<Image> {
    const response = await this.#call('POST', '/v2/images', 201, JSON.stringify(image));
    return (await response.json()) as Image;
  }

  async show(id: string): Promise<Image> {
    return (await (await this.#call('GET', `/v2/images/${id}`, 200)).json()) as Image;
  }

  /** The text of a reply, as it was sent. */
  async text(path: string): Promise<string> {
    return (await this.#call('GET', path, 200)).text();
  }

  /** Stages what a file has. */
  async stage(id: string, file: string): Promise<void> {
    const options = { method: 'PUT', headers: { ...this.#headers, 'content-type': 'application/octet-stream' } };
    const body = await openAsBlob(file);
    const response = await fetch(`${this.#base}/v2/images/${id}/stage`, { ...options, body });
    if (response.status !== 204) throw new Error(`Staging was answered by ${response.status}.`);
  }

  /** Begins an import: of what is staged for the image, or from `uri`. */
  async import(id: string, uri?: string): Promise<void> {
    const method = uri === undefined ? { name: 'glance-direct' } : { name: 'web-download', uri };
    await this.#call('POST', `/v2/images/${id}/import`, 202, JSON.stringify({ method }));
  }

  /** Waits for an import to end, which must not fail. */
  async untilActive(id: string): Promise<void> {
    for (;;) {
      const { status } = await this.show(id);
      if (status === 'active') return;
      if (status === 'queued') throw new Error(`The import of image ${id} failed: see its tasks.`);
      await delay(20);
    }
  }

  async delete(id: string): Promise<void> {
    await this.#call('DELETE', `/v2/images/${id}`, 204);
  }

  async #call(method: string, path: string, status: number, body?: string): Promise<Response> {
    const response = await fetch(this.#base + path, { method, headers: this.#headers, ...(body && { body }) });
    if (response.status === status) return response;
    throw new Error(`Wrong answer to ${method} ${path}: ${response.status} ${(await response.text()).slice(0, 300)}`);
  }
}

/** Fails the benchmark when the service gave a wrong answer. */
export function expect(what: string, actual: unknown, wanted: unknown): void {
  if (actual === wanted) return;
  throw new Error(`Wrong answer: ${what} is ${String(actual)} instead of ${String(wanted)}.`);
}
