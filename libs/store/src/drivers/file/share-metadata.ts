import { readFileSync } from 'node:fs';
import { ServiceError } from '@glance/domain';

/** What clients that have mounted the same share must know of it, to read images without the service. */
export type ShareMetadata = Readonly<Record<string, string>>;

/**
 * Reads the file of `filesystem_store_metadata_file`: a JSON object with `id` and `mountpoint`, or a list of them. Answers
 * with those of the mount point that a directory is in, or none.
 */
export function shareMetadata(path: string): (directory: string) => ShareMetadata {
  const wrong = (why: string, cause?: unknown): ServiceError =>
    new ServiceError('StorageDenied', `The file that filesystem_store_metadata_file names ${why}.`, {}, { cause });
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw wrong(cause instanceof SyntaxError ? 'is no JSON' : 'cannot be read', cause);
  }
  const entries = Array.isArray(content) ? (content as unknown[]) : [content];
  if (!entries.every(isShare)) throw wrong('must have texts named id and mountpoint, and only texts, in each object');
  return (directory) =>
    entries.find(({ mountpoint }) => `${directory}/`.startsWith(`${mountpoint!.replace(/\/+$/, '')}/`)) ?? {};
}

function isShare(entry: unknown): entry is ShareMetadata {
  if (typeof entry !== 'object' || entry === null) return false;
  const values = Object.values(entry);
  return 'id' in entry && 'mountpoint' in entry && values.every((value) => typeof value === 'string');
}
