import { type ErrorCode, isServiceError, ServiceError } from '@glance/domain';

const systemErrors: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['StorageFull', 'The store has no room left.'],
  EDQUOT: ['StorageFull', 'The store has no room left.'],
  EFBIG: ['StorageFull', 'The image is larger than the store can keep.'],
  EACCES: ['StorageDenied', 'The store denies access.'],
  EPERM: ['StorageDenied', 'The store denies access.'],
  EROFS: ['StorageDenied', 'The store is read-only.'],
};

/**
 * What a driver threw, as a `ServiceError` that may be shown: neither paths nor credentials are in its message, the
 * original is its cause. An error of the system means that the store does not work; anything else is a defect.
 */
export function storeError(error: unknown): ServiceError {
  if (isServiceError(error)) return error;
  const options = { cause: error };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // ERR_… are Node's own complaints about how it was called.
  if (typeof code !== 'string' || code.startsWith('ERR_')) {
    return new ServiceError('Internal', 'The store failed unexpectedly.', {}, options);
  }
  const [known, message] = systemErrors[code] ?? ['StoreUnavailable', `The store does not work (${code}).`];
  return new ServiceError(known, message, {}, options);
}

const because = (cause: unknown): ErrorOptions => (cause === undefined ? {} : { cause });

export function dataExists(cause?: unknown): ServiceError {
  return new ServiceError('DataExists', 'The store has data of this image already.', {}, because(cause));
}

/** Somebody else holds the claim on the id. */
export function dataArrives(cause?: unknown): ServiceError {
  const message = 'Data of this image is arriving already, or was left by an upload that nobody has discarded yet.';
  return new ServiceError('DataExists', message, {}, because(cause));
}

export function discarded(cause?: unknown): ServiceError {
  return new ServiceError('Cancelled', 'The upload was discarded before it had ended.', {}, because(cause));
}

/** Of a write that failed because of `error`, and whose traces could not be removed because of `obstacle`. */
export function withLeftovers(error: unknown, obstacle: unknown): ServiceError {
  const { code, message } = storeError(error);
  return new ServiceError(code, message, { leftovers: true }, { cause: new AggregateError([error, obstacle]) });
}

/** Nothing, where a store says that there is nothing. */
export async function ignoringMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isServiceError(error, 'DataNotFound')) return undefined;
    throw error;
  }
}
