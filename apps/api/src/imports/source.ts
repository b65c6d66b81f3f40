import type { Bytes } from '@glance/store';
import type { ImportedData } from '@glance/domain';
import type { ReadableData } from './import-plugin.js';

/** Where the bytes of an import come from: a web server, the staging area, a copy in another store. */
export interface Source {
  /** What it says of the image, where it says anything: asked before it is opened. */
  describe?(signal: AbortSignal): Promise<Pick<ImportedData, 'diskFormat' | 'containerFormat' | 'properties'>>;
  /**
   * Opens it from the start; may be called again, for instance when another process goes on with the import. Fails with
   * a `ServiceError` whose message the owner of the image may read and act upon. Breaks in between are the source's to
   * mend; data that ends early, or is not `size` bytes, fails while it is read.
   */
  open(signal: AbortSignal): Promise<SourceData>;
  /** The same, for plugins; absent where reading it twice would mean fetching it twice. */
  readable?(signal: AbortSignal): Promise<ReadableData>;
}

export interface SourceData {
  /** Bytes, where the source tells. */
  readonly size: number | undefined;
  readonly data: Bytes;
}
