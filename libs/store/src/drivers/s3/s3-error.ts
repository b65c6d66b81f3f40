import { type ErrorCode, isServiceError, ServiceError } from '@glance/domain';
import { storeError } from '../../store-error.js';

/** What S3 calls an error, what it is to us, and what to do about it. */
const known: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  NoSuchKey: ['DataNotFound', 'The store has no such data.'],
  NotFound: ['DataNotFound', 'The store has no such data.'],
  NoSuchUpload: ['Cancelled', 'The upload was discarded before it had ended.'],
  PreconditionFailed: ['DataExists', 'The store has data of this image already.'],
  ConditionalRequestConflict: ['DataExists', 'Data of this image is arriving already.'],
  NoSuchBucket: [
    'StorageDenied',
    'There is no bucket of the name in s3_store_bucket; see s3_store_create_bucket_on_put.',
  ],
  InvalidBucketName: ['StorageDenied', 'The name in s3_store_bucket is not one that a bucket can have.'],
  InvalidAccessKeyId: ['StorageDenied', 'S3 does not know the key in s3_store_access_key.'],
  SignatureDoesNotMatch: ['StorageDenied', 'The key in s3_store_secret_key is not that of s3_store_access_key.'],
  AccessDenied: ['StorageDenied', 'S3 gives s3_store_access_key no right to do this in the bucket of s3_store_bucket.'],
  RequestTimeTooSkewed: ['StorageDenied', 'S3 says that the clock of this machine is wrong.'],
  AuthorizationHeaderMalformed: ['StorageDenied', 'The bucket is not in the region of s3_store_region_name.'],
  PermanentRedirect: ['StorageDenied', 'The bucket is not at s3_store_host, or not in s3_store_region_name.'],
  QuotaExceeded: ['StorageFull', 'The store has no room left.'],
  EntityTooLarge: ['StorageFull', 'The image is larger than the store can keep.'],
  TimeoutError: ['StoreUnavailable', 'S3 does not answer in time.'],
};

const byStatus: Readonly<Record<number, string>> = {
  401: 'AccessDenied',
  403: 'AccessDenied',
  404: 'NotFound',
  409: 'ConditionalRequestConflict',
  412: 'PreconditionFailed',
  507: 'QuotaExceeded',
};

/** What the SDK threw, as a `ServiceError` that may be shown; names the option that is to blame. */
export function s3Error(error: unknown): ServiceError {
  if (isServiceError(error) || !(error instanceof Error)) return storeError(error);
  const status = statusOf(error);
  const [code, message] = known[error.name] ?? known[byStatus[status ?? 0] ?? ''] ?? [];
  if (code !== undefined && message !== undefined) return new ServiceError(code, message, {}, { cause: error });
  if (status === undefined) return storeError(error);
  return new ServiceError('StoreUnavailable', `S3 answered ${status} (${error.name}).`, {}, { cause: error });
}

/** For `catch`. */
export function failS3(error: unknown): never {
  throw s3Error(error);
}

function statusOf(error: Error): number | undefined {
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}
