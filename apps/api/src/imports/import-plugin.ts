import type { Image } from '@glance/domain';
import type { Bytes } from '@glance/store';

/** Bytes that can be read more than once. */
export interface ReadableData {
  /** Where they are told. */
  readonly size: number | undefined;
  /** A file of this machine that has just these bytes, if there is one; never to be written to. */
  readonly file?: string;
  open(signal: AbortSignal): Promise<Bytes>;
}

/** What a plugin may know. */
export interface PluginWork {
  /** Formats and properties as the plugins before have left them. */
  readonly image: Pick<Image, 'id' | 'diskFormat' | 'containerFormat' | 'properties'>;
  /** Of whoever asked for the import; lower case. */
  readonly roles: readonly string[];
  readonly data: ReadableData;
  /** An empty directory for this import; removed at its end, whatever happened. */
  scratch(): Promise<string>;
  /** Bytes that may be made of the data. */
  readonly maxSize: number;
  readonly signal: AbortSignal;
  /** Says how far it is: bytes of the input that are dealt with. */
  progress(done: number): void;
}

/** What a plugin has made of it. What is absent stays. */
interface PluginResult {
  readonly diskFormat?: string;
  readonly containerFormat?: string;
  /** Added to, or in the place of, those of the same names. */
  readonly properties?: Readonly<Record<string, string>>;
  /** May be made while it is read; is read once for each import, or again after a failure. */
  readonly data?: ReadableData;
}

/** Changes an image between its arrival and the stores. */
export interface ImportPlugin {
  /** Glance's, as in `image_import_plugins`. */
  readonly name: string;
  /** False for an image that it leaves alone, whatever its data: absent where it looks at all of them. */
  concerns?(image: PluginWork['image']): boolean;
  /** Fails with a `ServiceError` whose message the owner of the image may read; what it left in scratch is removed. */
  run(work: PluginWork): Promise<PluginResult>;
}
