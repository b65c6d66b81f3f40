import { isServiceError } from '@glance/domain';

/** The code of the `ServiceError` that `action` throws; undefined if it throws none. */
export function thrown(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (isServiceError(error)) return error.code;
    throw error;
  }
  return undefined;
}
