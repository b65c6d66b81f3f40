import { isServiceError, ServiceError } from '@glance/domain';
import type { Bytes } from '../bytes.js';
import { cancellation, pausing } from '../cancellation.js';

export interface Resumption {
  /** First byte, and the one behind the last. */
  readonly start: number;
  readonly end: number;
  /** How often in a row it may break off. */
  readonly retries: number;
  /** Milliseconds before the first retry; each following one waits twice as long. */
  readonly pause?: number;
  readonly signal: AbortSignal;
  /** The bytes from `offset` to the end. */
  readonly open: (offset: number) => Promise<Bytes>;
}

/** Bytes that a connection must have brought before its break counts as the first. */
const progress = 1024 * 1024;
const longestPause = 10_000;

/**
 * Bytes from a server, asked for anew from the first one that is missing whenever they break off. What a server refuses
 * is not asked for again, but what is `StoreUnavailable` is. Opens nothing before it is pulled.
 */
export async function* resumedBytes({ start, end, retries, pause = 200, signal, open }: Resumption): Bytes {
  let offset = start;
  let failures = 0;
  while (offset < end) {
    const begin = offset;
    let broken: unknown;
    try {
      for await (const chunk of await open(offset)) {
        const wanted = chunk.subarray(0, end - offset);
        offset += wanted.length;
        if (wanted.length > 0) yield wanted;
        if (offset >= end) return;
      }
      broken = new ServiceError('StoreUnavailable', `The store ended ${end - offset} bytes too early.`);
    } catch (error) {
      if (signal.aborted) throw cancellation(signal);
      if (isServiceError(error) && error.code !== 'StoreUnavailable') throw error;
      broken = error;
    }
    failures = offset - begin >= progress ? 1 : failures + 1;
    if (failures > retries) throw gaveUp(broken);
    await pausing(Math.min(pause * 2 ** (failures - 1), longestPause), signal);
  }
}

function gaveUp(broken: unknown): ServiceError {
  if (isServiceError(broken)) return broken;
  const message = `The store broke off too often: ${(broken as Error).message}`;
  return new ServiceError('StoreUnavailable', message, {}, { cause: broken });
}
