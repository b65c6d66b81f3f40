import { createHash, getHashes } from 'node:crypto';
import { ServiceError } from '@glance/domain';
import type { Bytes, Tap } from '../bytes.js';
import { type DigestPool, digestPool } from './digest-pool.js';
import { HashedStream } from './hashed-stream.js';
import type { SignatureClaim } from './digest-worker.js';

/** What Python's hashlib, whose names Glance's `hashing_algorithm` takes, calls differently. */
const renamed: Readonly<Record<string, string>> = { blake2b: 'blake2b512', blake2s: 'blake2s256' };

function nativeName(algorithm: string): string {
  return renamed[algorithm] ?? algorithm.replaceAll('_', '-');
}

/** Whether `digests` knows an algorithm; names are those of hashlib or of OpenSSL (`sha512`, `sha3_256`). */
export function isDigestAlgorithm(algorithm: string): boolean {
  try {
    createHash(nativeName(algorithm));
    return true;
  } catch {
    return false;
  }
}

/** Bytes of a digest by an algorithm that `isDigestAlgorithm` knows. */
export function digestSize(algorithm: string): number {
  return createHash(nativeName(algorithm)).digest().length;
}

export interface DigestTap<A extends string> extends Tap<Readonly<Record<A, string>>> {
  /** Whether the data has the signature that was claimed; of none, it is true. Known when `result` is. */
  signed(): boolean;
}

/**
 * Computes digests of what passes, in hex by the name of the algorithm, on other threads while the data is used, and
 * checks a signature if one is claimed. Reads ahead of the consumer by some MiB, and hands the bytes on in large chunks
 * that must not be changed. Throws `Invalid` for an algorithm that does not exist.
 */
export function digests<A extends string>(
  algorithms: readonly A[],
  { pool = digestPool, claim }: { pool?: DigestPool; claim?: SignatureClaim | undefined } = {},
): DigestTap<A> {
  const names = [...new Set(algorithms)];
  for (const name of names) {
    if (!isDigestAlgorithm(name)) {
      const known = `must be one of those that OpenSSL has here: ${getHashes().join(', ')}`;
      throw new ServiceError('Invalid', `There is no digest algorithm "${name}"; it ${known}.`);
    }
  }
  let values: readonly string[] | undefined;
  const known = (): readonly string[] => {
    if (values) return values;
    throw new ServiceError('Internal', 'Digests are known only once the last byte has passed.');
  };
  return {
    async *through(data: Bytes) {
      const stream = new HashedStream(data, pool.begin([...names.map(nativeName), ...(claim ? [claim] : [])]));
      try {
        yield* stream.chunks();
        values = await stream.digests();
      } finally {
        await stream.close();
      }
    },
    result() {
      const found = known();
      return Object.fromEntries(names.map((name, index) => [name, found[index]])) as Record<A, string>;
    },
    signed: () => claim === undefined || known().at(-1) === 'valid',
  };
}
