import { type ImageLocation, isServiceError, ServiceError } from '@glance/domain';
import type { Bytes, Stores } from '@glance/store';
import { tee } from './tee.js';

export interface Pouring {
  readonly id: string;
  readonly data: Bytes;
  /** Bytes of `data`, if known. */
  readonly size: number | undefined;
  readonly maxSize: number;
  /** The project that the image belongs to. */
  readonly owner?: string | undefined;
  readonly signal: AbortSignal;
  /** One failure stops the others. */
  readonly allOrNothing: boolean;
}

export interface Poured {
  readonly store: string;
  readonly size?: number;
  readonly location?: ImageLocation;
  /** Why there is no location. */
  readonly error?: ServiceError;
}

/**
 * Writes `data` into several stores at the same time. Says of each what came of it; a store that failed holds nothing,
 * unless its error has `details.leftovers`. `done` is called, and waited for, as soon as one is done.
 */
export async function pour(
  stores: Stores,
  targets: readonly string[],
  { data, signal, allOrNothing, ...write }: Pouring,
  done: (poured: Poured) => Promise<void> = async () => undefined,
): Promise<Poured[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const branches = tee(data, targets.length);
  const one = async (store: string, index: number): Promise<Poured> => {
    const branch = branches[index]!;
    try {
      const { url, metadata, size } = await stores.write({ ...write, store, data: branch, signal: either });
      return { store, size, location: { url, metadata } };
    } catch (error) {
      const refusal = isServiceError(error) ? error : defect(error);
      if (allOrNothing && !failed.signal.aborted) failed.abort(refusal);
      return { store, error: refusal };
    } finally {
      branch.leave();
    }
  };
  return Promise.all(
    targets.map(async (store, index) => {
      const poured = await one(store, index);
      await done(poured);
      return poured;
    }),
  );
}

const defect = (cause: unknown): ServiceError =>
  new ServiceError('Internal', 'Something went wrong in the service.', {}, { cause });
