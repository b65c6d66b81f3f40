import { isServiceError, ServiceError } from '@glance/domain';
import { abortable } from './abortable.js';
import type { Bytes, Tap } from './bytes.js';
import { cancellation, settled } from './cancellation.js';
import type { Capacity, Readers, StoreCapabilities, StoreDriver, StoreProperties } from './driver.js';
import type { Held } from './held.js';
import type { Holding, Trash } from './holding.js';
import { Intake } from './intake.js';
import { Readiness } from './readiness.js';
import { storeError } from './store-error.js';
import { StoreMetrics } from './store-metrics.js';

/** Milliseconds in which a place that did not answer is asked last. */
const ailingTime = 10_000;

export interface StoreWrite {
  readonly id: string;
  readonly data: Bytes;
  /** In the order in which the data passes them. */
  readonly taps?: readonly Tap<unknown>[];
  /** Bytes of `data`, if its sender told. */
  readonly size?: number | undefined;
  /** Bytes that may be stored. */
  readonly maxSize: number;
  /** The project that the image belongs to. */
  readonly owner?: string | undefined;
  readonly signal: AbortSignal;
}

export interface StoreRead {
  /** Bytes from the start; 0 if absent. */
  readonly offset?: number | undefined;
  /** Bytes; to the end if absent. The image may end before. */
  readonly length?: number | undefined;
  readonly signal: AbortSignal;
}

export interface StoreNature {
  /** What metrics call it. */
  readonly name?: string;
  /** Milliseconds that the driver has for undoing a write after its signal has fired. */
  readonly patience?: number;
}

/**
 * One place for images: what its driver does, with sizes checked, limits kept, ranges cut, and every failure a
 * `ServiceError` that may be shown. No call outlives its signal by more than the driver's time to tidy up.
 */
export class Store {
  readonly #driver: StoreDriver;
  readonly #patience: number;
  readonly #readiness: Readiness;
  readonly #metrics: StoreMetrics;
  #ailingUntil = 0;

  constructor(driver: StoreDriver, { name = 'unnamed', patience = 10_000 }: StoreNature = {}) {
    this.#driver = driver;
    this.#patience = patience;
    this.#metrics = new StoreMetrics(name);
    this.#readiness = new Readiness(() => this.#metrics.operation('open', driver.open()));
  }

  get capabilities(): StoreCapabilities {
    return this.#driver.capabilities;
  }

  /** Proves that the configured place can be used, and makes it ready. A write does so too, if it was not done yet. */
  async open(): Promise<void> {
    await this.#readiness.reach();
  }

  /** Proves that the place can be used now, whatever it was before. */
  async check(): Promise<void> {
    if (this.#readiness.reached) await this.#metrics.operation('open', this.#driver.open().catch(fail));
    else await this.open();
  }

  /** How much room its place has; undefined if that cannot be known. */
  async capacity(): Promise<Capacity | undefined> {
    return this.#driver.capacity?.().catch(fail);
  }

  /** See `StoreDriver.trash`. */
  async *trash(signal: AbortSignal): AsyncIterable<Trash> {
    try {
      yield* this.#driver.trash?.(signal) ?? [];
    } catch (error) {
      fail(error);
    }
  }

  /** See `StoreDriver.reclaim`. */
  async reclaim(key: string): Promise<boolean> {
    return (await this.#driver.reclaim?.(key).catch(fail)) ?? false;
  }

  async close(): Promise<void> {
    await this.#driver.close().catch(fail);
  }

  /**
   * Stores `data`; answers with its location URL and its size in bytes once it is durable. A failure leaves nothing and
   * says its cause: `SizeMismatch`, `LimitExceeded`, what `data` or a tap threw, what the driver says, or why `signal`
   * fired. Only when the driver does not come back after `signal` has `details.leftovers`: then `discard` later.
   */
  write(request: StoreWrite): Promise<{ url: string; size: number }> {
    return this.#metrics.transfer('write', () => this.#write(request));
  }

  async #write({
    id,
    data,
    taps = [],
    size,
    maxSize,
    owner,
    signal,
  }: StoreWrite): Promise<{ url: string; size: number }> {
    if (!this.capabilities.write) throw new ServiceError('StoreDisabled', 'This store does not take images.');
    const intake = new Intake(size, maxSize);
    if (signal.aborted) throw cancellation(signal);
    if (!this.#readiness.reached) await settled(this.open(), signal);
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const source = intake.arriving(abortable(data, stop, () => cancellation(signal)));
    const tapped = intake.leaving(taps.reduce((bytes, tap) => tap.through(bytes), source));
    const stream = this.#metrics.counted('write', tapped);
    const late = (): ServiceError => withLeftovers(cancellation(signal));
    try {
      const writing = this.#driver.write(id, stream, { size, owner, signal });
      const url = await settled(writing, signal, { patience: this.#patience, late });
      if (intake.complete) return { url, size: intake.stored };
      await this.#driver.delete(url, AbortSignal.timeout(this.#patience));
      throw new Error('The driver did not read all of the data.');
    } catch (error) {
      throw whyItFailed(error, intake, signal);
    } finally {
      // Whatever happened, nobody reads on: the source is released even where it waits.
      over.abort();
    }
  }

  /**
   * Opens what is at `url`; `size` is that of the whole image. `DataNotFound`, `BadLocation`, `RangeNotSatisfiable` come
   * before any data. The data holds nothing until it is pulled.
   */
  async read(url: string, { offset = 0, length, signal }: StoreRead): Promise<{ size: number; data: Bytes }> {
    const { seek } = this.capabilities;
    const range = seek ? { offset, length } : { offset: 0, length: undefined };
    const opening = settled(this.#driver.read(url, { ...range, signal }), signal).catch(failing(signal));
    const { size, data } = await this.#metrics.operation('read', opening).catch((error: unknown) => {
      if (isServiceError(error, 'StoreUnavailable')) this.#ailingUntil = performance.now() + ailingTime;
      throw error;
    });
    if (offset > 0 && offset >= size) {
      throw new ServiceError('RangeNotSatisfiable', `The image has ${size} bytes only.`, { size });
    }
    const part = { skip: offset - range.offset, length: Math.min(length ?? size, size - offset) };
    const wanted = abortable(data, signal, () => cancellation(signal));
    return { size, data: this.#metrics.reading(cut(wanted, part)) };
  }

  /** Whether clients may register what is at `url`, which then is this store's. */
  accepts(url: string): boolean {
    return this.#driver.accepts?.(url) ?? false;
  }

  /** What `write` would call the data at `url`, if it lies in this store. */
  canonical(url: string): string | undefined {
    return this.#driver.canonical?.(url);
  }

  /** What the location of what is at `url` says besides its store. */
  metadata(url: string): Readonly<Record<string, string>> {
    return this.#driver.metadata?.(url) ?? {};
  }

  /** Facts about the place, as far as it was reached. */
  found(): StoreProperties {
    return this.#driver.found?.() ?? {};
  }

  /** The place did not answer a short while ago: others are asked first. */
  get ailing(): boolean {
    return performance.now() < this.#ailingUntil;
  }

  /** Whether others can be let read what is here without the service. */
  get shares(): boolean {
    return this.#driver.share !== undefined;
  }

  /** Lets these read what is at `url` without the service, and nobody else but its owner. */
  async share(url: string, readers: Readers, signal: AbortSignal): Promise<void> {
    const sharing = this.#driver.share?.(url, readers, signal) ?? Promise.resolve();
    await this.#metrics.operation('share', settled(sharing, signal).catch(failing(signal)));
  }

  /** Bytes of what is at `url`. */
  async size(url: string, signal: AbortSignal): Promise<number> {
    return this.#metrics.operation('size', settled(this.#driver.size(url, signal), signal).catch(failing(signal)));
  }

  /** Removes what is at `url`: `DataNotFound` if nothing is, `DataInUse` if somebody still needs it. */
  async delete(url: string, signal: AbortSignal): Promise<void> {
    if (!this.capabilities.delete) throw new ServiceError('StoreDisabled', 'This store deletes nothing.');
    const deletion = settled(this.#driver.delete(url, signal), signal).catch(failing(signal));
    await this.#metrics.operation('delete', deletion);
  }

  /** Removes all that an interrupted write of `id` left. Only for an id that no image refers to. */
  async discard(id: string, signal: AbortSignal): Promise<void> {
    const discarding = settled(this.#driver.discard(id, signal), signal).catch(failing(signal));
    await this.#metrics.operation('discard', discarding);
  }

  /** Ids under which there is something of ours, each at least once. */
  async *ids(signal: AbortSignal): AsyncIterable<string> {
    try {
      yield* this.#driver.ids?.(signal) ?? [];
    } catch (error) {
      failing(signal)(error);
    }
  }

  /** See `StoreDriver.held`. */
  async held(id: string, signal: AbortSignal): Promise<readonly Held[]> {
    const looking = this.#driver.held?.(id, signal) ?? Promise.resolve([]);
    return settled(looking, signal).catch(failing(signal));
  }

  /** What `discard` of this id would remove; undefined if nothing, or something that is not ours. */
  async holding(id: string, signal: AbortSignal): Promise<Holding | undefined> {
    const looking = this.#driver.holding?.(id, signal) ?? Promise.resolve(undefined);
    return settled(looking, signal).catch(failing(signal));
  }
}

function fail(error: unknown): never {
  throw storeError(error);
}

/** For `catch`: who was stopped says so in many ways. */
function failing(signal: AbortSignal): (error: unknown) => never {
  return (error) => {
    throw signal.aborted ? cancellation(signal) : storeError(error);
  };
}

function withLeftovers({ code, message, details, cause }: ServiceError): ServiceError {
  return new ServiceError(code, message, { ...details, leftovers: true }, { cause });
}

/** What the driver says comes last: it fails for the reasons before, too, and says so in words of its own. */
function whyItFailed(error: unknown, { failure }: Intake, signal: AbortSignal): Error {
  if (isServiceError(error) && error.details['leftovers'] === true) return error;
  if (failure) return failure;
  return signal.aborted ? cancellation(signal) : storeError(error);
}

/** Exactly `length` bytes after the first `skip`, or an error. */
async function* cut(data: Bytes, { skip, length }: { skip: number; length: number }): Bytes {
  if (length === 0) return;
  let toSkip = skip;
  let left = length;
  try {
    for await (const chunk of data) {
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      const piece = chunk.subarray(skipped, skipped + left);
      left -= piece.length;
      if (piece.length > 0) yield piece;
      if (left === 0) return;
    }
  } catch (error) {
    fail(error);
  }
  throw new ServiceError('StoreUnavailable', `The store ended ${left} bytes before the end of the image.`);
}
