import { type ClaimedDigests, type NewLocation, ServiceError } from '@glance/domain';
import { digestSize } from '@glance/store';
import { isObject } from '../http/json-body.js';
import { plainText } from '../http/plain-text.js';

const invalid = (message: string): ServiceError => new ServiceError('Invalid', message);
const conflict = (message: string): ServiceError => new ServiceError('Conflict', message);

/** A location in a PATCH. `algorithm` is the only digest that it may be vouched for by. */
export function patchedLocation(value: unknown, algorithm: string): NewLocation {
  if (!isObject(value)) throw invalid('A location must be an object with "url" and "metadata".');
  const { metadata } = value;
  if (!isObject(metadata)) throw invalid('The "metadata" of a location must be an object.');
  for (const [key, text] of Object.entries(metadata)) {
    if (typeof text !== 'string') throw invalid(`In the metadata of a location, "${key}" must be a string.`);
    plainText('The metadata of a location', key + text, 65_535);
  }
  const digests = patchedDigests(value['validation_data'], algorithm);
  const location = { url: locationUrl(value['url']), metadata: metadata as NewLocation['metadata'] };
  return digests ? { ...location, digests } : location;
}

/** The URL of a location. */
export function locationUrl(value: unknown, max = 255): string {
  if (typeof value !== 'string' || value === '') throw invalid('The "url" of a location must be a string.');
  if (/[\0-\x20\x7f]/.test(value)) throw invalid('The "url" of a location must not have blanks or control characters.');
  return plainText('The "url" of a location', value, max);
}

function patchedDigests(value: unknown, algorithm: string): ClaimedDigests | undefined {
  if (value === undefined) return undefined;
  const { checksum, osHashAlgo, osHashValue } = digestsIn(value, ['checksum', 'os_hash_algo', 'os_hash_value']);
  // Glance: these are conflicts with what the service is configured for.
  if (osHashAlgo !== algorithm) throw conflict(`os_hash_algo must be ${algorithm}, not ${osHashAlgo}.`);
  if (!isHex(osHashValue, digestSize(algorithm))) throw conflict(`os_hash_value must be a hexadecimal ${algorithm}.`);
  if (checksum !== undefined && !isHex(checksum, digestSize('md5'))) {
    throw conflict('checksum must be a hexadecimal md5.');
  }
  return { ...(checksum !== undefined && { checksum }), osHashAlgo, osHashValue };
}

const algorithms = ['sha1', 'sha256', 'sha512', 'md5'];

/** What the locations API may be told of the data: one of four digests. */
export function addedDigests(value: unknown): ClaimedDigests | undefined {
  if (value === undefined || value === null || (isObject(value) && Object.keys(value).length === 0)) return undefined;
  const { osHashAlgo, osHashValue } = digestsIn(value, ['os_hash_algo', 'os_hash_value']);
  if (!algorithms.includes(osHashAlgo)) throw invalid(`os_hash_algo must be one of ${algorithms.join(', ')}.`);
  if (!isHex(osHashValue, digestSize(osHashAlgo))) {
    throw invalid(`os_hash_value is not the hexadecimal value of a ${osHashAlgo}, or not of its size.`);
  }
  return { osHashAlgo, osHashValue: osHashValue.toLowerCase() };
}

function digestsIn(value: unknown, names: readonly string[]): ClaimedDigests {
  if (!isObject(value)) throw invalid('"validation_data" must be an object.');
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(`"validation_data" has no "${unknown}"; it has ${names.join(', ')}.`);
  const { checksum, os_hash_algo: osHashAlgo, os_hash_value: osHashValue } = value;
  if (typeof osHashAlgo !== 'string' || typeof osHashValue !== 'string') {
    throw invalid('"validation_data" must have os_hash_algo and os_hash_value.');
  }
  if (osHashAlgo.length > 64 || osHashValue.length > 128)
    throw invalid('"validation_data" has values that are too long.');
  if (checksum === undefined) return { osHashAlgo, osHashValue };
  if (typeof checksum !== 'string' || checksum.length !== 32) throw invalid('checksum must have 32 characters.');
  return { checksum, osHashAlgo, osHashValue };
}

function isHex(text: string, bytes: number): boolean {
  return text.length === bytes * 2 && /^[0-9a-f]+$/i.test(text);
}
