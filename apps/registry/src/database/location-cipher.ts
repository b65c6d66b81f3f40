import { createCipheriv, createDecipheriv, randomBytes, randomInt } from 'node:crypto';
import { ServiceError } from '@glance/domain';

const blockSize = 16;

/**
 * How `image_locations.value` has the URL of a location: as it is, or, with a `metadata_encryption_key`, as Glance's
 * AES-CBC. What is written: base64 of initial vector and ciphertext, with `-` and `_`, padded with `=`. What is encrypted:
 * the URL, a zero byte, and random bytes other than zero up to a whole block.
 */
export class LocationCipher {
  readonly #key: Buffer | undefined;

  /** The key, in UTF-8, has 16, 24 or 32 bytes; without one, URLs are written as they are. */
  constructor(key?: string) {
    this.#key = key === undefined ? undefined : Buffer.from(key);
  }

  /** What the database is to have. Differs with each call: rows are not found by it. */
  seal(url: string): string {
    if (!this.#key) return url;
    const text = Buffer.from(url);
    const padding = Buffer.alloc(blockSize - 1 - (text.length % blockSize)).map(() => randomInt(1, 256));
    const vector = randomBytes(blockSize);
    const cipher = createCipheriv(this.#algorithm, this.#key, vector).setAutoPadding(false);
    const sealed = [vector, cipher.update(text), cipher.update(Buffer.from([0])), cipher.update(padding)];
    return Buffer.concat([...sealed, cipher.final()])
      .toString('base64')
      .replaceAll('+', '-')
      .replaceAll('/', '_');
  }

  /** The URL of what the database has; that itself where it is a URL, as before there was a key, or cannot be read. */
  open(value: string): string {
    if (!isSealed(value)) return value;
    return this.#decrypted(Buffer.from(value, 'base64url')) ?? value;
  }

  /** Fails with `Invalid`, and says what to do, if `value` is one that this key does not open. */
  assertOpens(value: string): void {
    if (!isSealed(this.open(value))) return;
    throw new ServiceError(
      'Invalid',
      this.#key
        ? '[DEFAULT] metadata_encryption_key is not the key that locations in the database were encrypted with: set it to that one.'
        : 'Locations in the database are encrypted: set [DEFAULT] metadata_encryption_key to the key that Glance had.',
    );
  }

  #decrypted(sealed: Buffer): string | undefined {
    if (!this.#key || sealed.length < 2 * blockSize || sealed.length % blockSize > 0) return undefined;
    const decipher = createDecipheriv(this.#algorithm, this.#key, sealed.subarray(0, blockSize));
    const padded = decipher.setAutoPadding(false).update(sealed.subarray(blockSize));
    const url = padded.toString('utf8', 0, Math.max(padded.lastIndexOf(0), 0));
    // Nothing tells a wrong key, but what comes out.
    return /^[a-z][a-z0-9+.-]*:[^\0\ufffd]*$/i.test(url) ? url : undefined;
  }

  get #algorithm(): string {
    return `aes-${this.#key!.length * 8}-cbc`;
  }
}

/** Base64 has no colon, and no URL is without. */
function isSealed(value: string): boolean {
  return !value.includes(':');
}
