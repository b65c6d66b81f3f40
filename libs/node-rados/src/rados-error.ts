import { constants } from 'node:os';

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
// One number has two names on Linux; this is the one that programs know.
names.set(constants.errno.EAGAIN, 'EAGAIN');

/**
 * A call that librados or librbd refused. `code` is the name of the errno, as in Node's own errors: ENOENT, EEXIST,
 * EBUSY, ENOTEMPTY, EPERM, ETIMEDOUT …; ESHUTDOWN is a client that the cluster has shut out (blocklisted).
 */
export class RadosError extends Error {
  override readonly name = 'RadosError';
  readonly code: string;
  /** Positive. */
  readonly errno: number;

  constructor(call: string, errno: number, options?: ErrorOptions) {
    const code = names.get(errno) ?? `E${errno}`;
    super(`${call} failed: ${code}`, options);
    this.code = code;
    this.errno = errno;
  }
}

/** Whether `error` is a refusal with one of these codes. */
export function isRadosError(error: unknown, ...codes: string[]): error is RadosError {
  return error instanceof RadosError && (codes.length === 0 || codes.includes(error.code));
}

/** What a call returned, unless that is a negative errno. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new RadosError(call, -result);
  return result;
}

/** The error of a call that has taken longer than it may. */
export function timedOut(call: string): RadosError {
  return new RadosError(call, constants.errno.ETIMEDOUT);
}

/** The error of a call on something that was closed. */
export function closed(call: string): RadosError {
  return new RadosError(call, constants.errno.EBADF);
}
