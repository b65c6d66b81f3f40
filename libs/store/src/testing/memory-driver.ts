import { ServiceError } from '@glance/domain';
import type { Bytes } from '../bytes.js';
import type { ReadOptions, StoreCapabilities, StoreDriver } from '../driver.js';
import type { Holding } from '../holding.js';
import { dataExists } from '../store-error.js';

/** A store in the memory of this process, for tests. Locations are `memory:<id>`. */
export class MemoryDriver implements StoreDriver {
  readonly capabilities: StoreCapabilities;
  readonly #images = new Map<string, Buffer>();
  /** Ids that are being written, and by whom. */
  readonly #claims = new Map<string, symbol>();
  /** Milliseconds of the epoch. */
  readonly #written = new Map<string, number>();

  constructor(capabilities: Partial<StoreCapabilities> = {}) {
    this.capabilities = { write: true, delete: true, seek: true, ...capabilities };
  }

  /** Ids of everything that it holds, also of what is only half there. */
  list(): readonly string[] {
    return [...this.#images.keys(), ...this.#claims.keys()].sort();
  }

  async open(): Promise<void> {
    // Memory is always there.
  }

  async write(id: string, data: Bytes, { signal }: { signal: AbortSignal }): Promise<string> {
    signal.throwIfAborted();
    if (this.#images.has(id) || this.#claims.has(id)) {
      throw dataExists();
    }
    const claim = Symbol(id);
    this.#claims.set(id, claim);
    this.#written.set(id, Date.now());
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of data) {
        signal.throwIfAborted();
        chunks.push(Buffer.from(chunk));
      }
      signal.throwIfAborted();
      if (this.#claims.get(id) !== claim) throw new ServiceError('Cancelled', 'The upload was discarded.');
      this.#images.set(id, Buffer.concat(chunks));
      return `memory:${id}`;
    } finally {
      if (this.#claims.get(id) === claim) this.#claims.delete(id);
    }
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const content = this.#at(url);
    const part = content.subarray(offset, length === undefined ? undefined : offset + length);
    return { size: content.length, data: inChunks(part, signal) };
  }

  async size(url: string): Promise<number> {
    return this.#at(url).length;
  }

  async delete(url: string): Promise<void> {
    this.#at(url);
    this.#images.delete(idOf(url));
  }

  async discard(id: string): Promise<void> {
    this.#claims.delete(id);
    this.#images.delete(id);
  }

  async *ids(): AsyncIterable<string> {
    yield* this.list();
  }

  async holding(id: string): Promise<Holding | undefined> {
    const image = this.#images.get(id);
    const objects = (image ? 1 : 0) + (this.#claims.has(id) ? 1 : 0);
    return objects === 0 ? undefined : { objects, bytes: image?.length ?? 0, modified: this.#written.get(id) ?? 0 };
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  #at(url: string): Buffer {
    const content = this.#images.get(idOf(url));
    if (!content) throw new ServiceError('DataNotFound', 'The store has no such data.');
    return content;
  }
}

function idOf(url: string): string {
  if (!url.startsWith('memory:')) throw new ServiceError('BadLocation', 'The location is not in memory.');
  return url.slice('memory:'.length);
}

async function* inChunks(content: Buffer, signal: AbortSignal): Bytes {
  for (let start = 0; start < content.length; start += 65536) {
    signal.throwIfAborted();
    // A copy: what a consumer does to its chunk is its own business.
    yield Buffer.from(content.subarray(start, start + 65536));
  }
}
