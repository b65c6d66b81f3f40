/** Every way a request can fail, named by its cause. The api alone maps a code to an HTTP status. */
export const errorCodes = [
  /** The request is malformed or a value is not allowed. */
  'Invalid',
  /** Nobody is logged in, or the credentials are not accepted. */
  'Unauthenticated',
  /** The caller is known and may not do this. */
  'Forbidden',
  /** There is no such thing, or the caller may not know that there is. */
  'NotFound',
  /** The thing is in a state that does not allow this, or somebody else was faster. */
  'Conflict',
  /** The thing existed when the request began and does not any more. */
  'Gone',
  /** A quota or a configured limit is reached. */
  'LimitExceeded',
  /** The media type of the request body is not understood. */
  'UnsupportedMediaType',
  /** The bytes of an image are unsafe, or not of the declared format. */
  'UnsafeImage',
  /** Fewer or more bytes arrived than were announced. */
  'SizeMismatch',
  /** The requested range lies outside of the data. `details.size` is the size in bytes. */
  'RangeNotSatisfiable',
  /** A store has no data at this location. */
  'DataNotFound',
  /** A store has data under this id already. */
  'DataExists',
  /** A store keeps the data because somebody uses it (a clone, a watcher). */
  'DataInUse',
  /** A store has no room left. */
  'StorageFull',
  /** A store refuses to be written to. */
  'StorageDenied',
  /** The configured store cannot take images: read-only, or switched off. */
  'StoreDisabled',
  /** A store does not answer. */
  'StoreUnavailable',
  /** A location URL that no store understands. */
  'BadLocation',
  /** Another part of the service does not answer in time; the request may be repeated later. */
  'Unavailable',
  /** Whoever asked for this gave up. */
  'Cancelled',
  /** A defect. Carries no detail; the log of the process where it happened has it. */
  'Internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/** The one error that crosses module and process borders; told apart by `code`, never by class. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whether `error` is a `ServiceError`, with one of `codes` if any are given. */
export function isServiceError(error: unknown, ...codes: ErrorCode[]): error is ServiceError {
  return error instanceof ServiceError && (codes.length === 0 || codes.includes(error.code));
}
