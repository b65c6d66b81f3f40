import { ServiceError } from '@glance/domain';
import type { Bytes, ReadOptions, StoreDriver } from '@glance/store';

const chunkSize = 64 * 1024;

/** Keeps images in memory, and lets a test stand at every step. */
export class MemoryDriver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly images = new Map<string, Buffer>();
  /** Called with every chunk that is written. */
  onChunk: (received: number) => void | Promise<void> = () => undefined;
  /** Called when all bytes are there, before they are stored. */
  onPublish: () => void | Promise<void> = () => undefined;
  /** Called before every chunk that is read. */
  onRead: (offset: number) => void | Promise<void> = () => undefined;
  canonical?: NonNullable<StoreDriver['canonical']>;
  share?: NonNullable<StoreDriver['share']>;
  onDelete: () => void | Promise<void> = () => undefined;

  async open(): Promise<void> {}
  async close(): Promise<void> {}

  async write(id: string, data: Bytes, { signal }: { signal: AbortSignal }): Promise<string> {
    const url = urlOf(id);
    if (this.images.has(url)) throw new ServiceError('DataExists', `There is data of ${id} already.`);
    const chunks: Buffer[] = [];
    let received = 0;
    for await (const chunk of data) {
      chunks.push(Buffer.from(chunk));
      received += chunk.length;
      await this.onChunk(received);
    }
    await this.onPublish();
    signal.throwIfAborted();
    this.images.set(url, Buffer.concat(chunks));
    return url;
  }

  async read(url: string, { offset, length }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const stored = this.stored(url);
    const end = length === undefined ? stored.length : Math.min(offset + length, stored.length);
    const reached = (at: number): void | Promise<void> => this.onRead(at);
    // One buffer for all chunks, as drivers may: whoever keeps a chunk sees it change.
    const buffer = Buffer.alloc(chunkSize);
    async function* data(): Bytes {
      for (let at = offset; at < end; at += chunkSize) {
        await reached(at);
        const copied = stored.copy(buffer, 0, at, Math.min(at + chunkSize, end));
        yield buffer.subarray(0, copied);
      }
      buffer.fill(0xee);
    }
    return { size: stored.length, data: data() };
  }

  accepts(url: string): boolean {
    return url.startsWith('memory://');
  }

  async size(url: string): Promise<number> {
    return this.stored(url).length;
  }

  async delete(url: string): Promise<void> {
    await this.onDelete();
    this.stored(url);
    this.images.delete(url);
  }

  async discard(id: string): Promise<void> {
    this.images.delete(urlOf(id));
  }

  private stored(url: string): Buffer {
    const stored = this.images.get(url);
    if (!stored) throw new ServiceError('DataNotFound', 'There is no such data.');
    return stored;
  }
}

const urlOf = (id: string): string => `memory://${id}`;
