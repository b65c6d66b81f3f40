import { ServiceError } from '@glance/domain';

/** Whether a call of the system failed with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** For `catch`: failures with these codes are none. */
export function ignoring(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
  };
}

/** For `catch`: a missing file becomes `DataNotFound`, the rest stays as it is. */
export function orNotFound(error: unknown): never {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
  throw new ServiceError('DataNotFound', 'The store has no such data.', {}, { cause: error });
}
