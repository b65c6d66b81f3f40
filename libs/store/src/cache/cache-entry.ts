import type { Image } from '@glance/domain';
import { isDigestAlgorithm } from '../digests/digests.js';
import { imageName, namePattern } from '../image-id.js';

/** What the record of an image says of its data. */
export type CacheableImage = Pick<Image, 'id' | 'status' | 'size' | 'checksum' | 'osHashAlgo' | 'osHashValue'>;

/** What the data of an image is called in the cache, and what it must be. */
export interface CacheEntry {
  readonly id: string;
  /**
   * `<id>.<md5>.<first 32 digits of os_hash_value>`, `-` for what is not known. Data that is imported anew has another
   * name, so that what is found under a name is what the record speaks of, without a further look.
   */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

const hex = /^[0-9a-f]{32,}$/i;
const pattern = namePattern('', String.raw`\.([0-9a-f]{32}|-)\.([0-9a-f]{32}|-)`);

/** Undefined for what cannot be kept: an image that is not active, is empty, or whose digest nobody knows. */
export function entryOf({ id, status, size, checksum, osHashValue }: CacheableImage): CacheEntry | undefined {
  if (status !== 'active' || size === null || size === 0) return undefined;
  const parts = [checksum, osHashValue].map((value) =>
    value !== null && hex.test(value) ? value.slice(0, 32).toLowerCase() : '-',
  );
  const name = [id, ...parts].join('.');
  return parts.every((part) => part === '-') || !pattern.test(name) ? undefined : { id, name, size };
}

/** What the name of an entry says; undefined for any other name. */
export function entryNamed(
  name: string,
): { readonly id: string; readonly checksum: string | null; readonly hash: string | null } | undefined {
  const [, id, ...parts] = pattern.exec(name) ?? [];
  const [checksum, hash] = parts.map((part) => (part === '-' ? null : part));
  return id === undefined ? undefined : { id, checksum: checksum ?? null, hash: hash ?? null };
}

/** Whose data a file in one of the directories of a cache is, also one of Glance itself; undefined for any other file. */
export function imageOf(directory: '.' | 'incomplete' | 'invalid', name: string): string | undefined {
  const entry = directory === 'incomplete' ? name.replace(/\.\d+$/, '') : name;
  return entryNamed(entry)?.id ?? imageName.exec(name)?.[1];
}

/** The digest by which data is verified: the stronger one that can be computed; undefined if there is none. */
export function digestOf({ checksum, osHashAlgo, osHashValue }: CacheableImage): DigestPromise | undefined {
  if (osHashAlgo !== null && osHashValue !== null && isDigestAlgorithm(osHashAlgo)) {
    return { algorithm: osHashAlgo, value: osHashValue.toLowerCase() };
  }
  return checksum === null ? undefined : { algorithm: 'md5', value: checksum.toLowerCase() };
}

export interface DigestPromise {
  readonly algorithm: string;
  /** Hex. */
  readonly value: string;
}
