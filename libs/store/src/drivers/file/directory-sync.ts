import type { FileSystem } from './file-system.js';

/**
 * Brings a directory to the disk: what is in it is there only when the directory is. Of many who ask at a time, those who
 * come while one is being served share the next.
 */
export class DirectorySync {
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(
    private readonly fs: Pick<FileSystem, 'open'>,
    private readonly directory: string,
  ) {}

  /** Resolves once all that was done in the directory before the call is on the disk. */
  reach(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#sync().finally(() => (this.#running = undefined));
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.reach();
      });
    return this.#next;
  }

  async #sync(): Promise<void> {
    await using directory = await this.fs.open(this.directory);
    await directory.sync();
  }
}
