import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError, ServiceError } from '@glance/domain';

/** Why `signal` fired: the `ServiceError` that it carries, or `Cancelled`. */
export function cancellation(signal: AbortSignal): ServiceError {
  const reason: unknown = signal.reason;
  if (isServiceError(reason)) return reason;
  return new ServiceError('Cancelled', 'Whoever asked for this gave up.', {}, { cause: reason });
}

/** Fails as `cancellation` says once `signal` has fired. */
export function assertWanted(signal: AbortSignal): void {
  if (signal.aborted) throw cancellation(signal);
}

/** Waits so many milliseconds; fails as `cancellation` says when `signal` fires. */
export async function pausing(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {
    throw cancellation(signal);
  });
}

/**
 * What comes of `work`, waited for no longer than `patience` milliseconds after `signal` has fired; then throws
 * `late()`. What comes of it later is ignored.
 */
export async function settled<T>(
  work: Promise<T>,
  signal: AbortSignal,
  { patience = 0, late = () => cancellation(signal) }: { patience?: number; late?: () => ServiceError } = {},
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => reject(late()), patience);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
