import type { ErrorCode } from '@glance/domain';

/** The HTTP status of every way in which a request can fail. */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  Invalid: 400,
  Unauthenticated: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  Gone: 410,
  // Glance: every quota and limit is a 413, clients know it as "too large".
  LimitExceeded: 413,
  UnsupportedMediaType: 415,
  // Glance: refused content is a 415 too.
  UnsafeImage: 415,
  SizeMismatch: 400,
  RangeNotSatisfiable: 416,
  DataNotFound: 404,
  DataExists: 409,
  DataInUse: 409,
  StorageFull: 413,
  StorageDenied: 503,
  StoreDisabled: 410,
  StoreUnavailable: 503,
  BadLocation: 400,
  Unavailable: 503,
  Cancelled: 503,
  Internal: 500,
};
