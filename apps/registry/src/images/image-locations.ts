import { type ClaimedDigests, type Image, type ImageChange, type NewLocation, ServiceError } from '@glance/domain';
import type { Statements } from '../database/session.js';

type LocationsChange = Extract<ImageChange, { kind: 'locations' }>;

const invalid = (message: string): ServiceError => new ServiceError('Invalid', message);

/** The image after it was told where its data lies; the first location makes it active. */
export function withLocations(image: Image, { op, locations }: LocationsChange): Image {
  if (locations.length === 0) throw new ServiceError('Forbidden', 'The locations of an image cannot be all removed.');
  if (image.status !== 'queued' && image.status !== 'active') {
    throw new ServiceError(
      'Conflict',
      `The locations of an image can be changed while it is queued or active, not ${image.status}.`,
    );
  }
  const digests = newDigests(image, locations);
  if (op === 'add') return located(image, locations, digests);
  if (image.locations.length === 0) return located(image, locations, digests);
  const urls = (each: readonly { readonly url: string }[]): string => JSON.stringify(each.map(({ url }) => url).sort());
  if (urls(image.locations) !== urls(locations)) {
    throw invalid('The image has locations already: only their metadata can be replaced, the URLs must be the same.');
  }
  return { ...image, locations: locations.map(({ url, metadata }) => ({ url, metadata })) };
}

function located(image: Image, locations: readonly NewLocation[], digests: Partial<Image>): Image {
  if (image.status === 'queued' && (image.diskFormat === null || image.containerFormat === null)) {
    throw invalid('The disk and container formats of an image must be set before it has data.');
  }
  const known = [...image.locations];
  for (const { url, metadata } of locations) {
    if (known.some((other) => same(other, { url, metadata }))) throw invalid('The image has this location already.');
    known.push({ url, metadata });
  }
  const size = image.size ?? locations[0]?.size ?? null;
  return { ...image, ...digests, status: 'active', size, locations: known };
}

/** What the image does not know yet of its digests. What it knows may be said again, but not otherwise. */
function newDigests(image: Image, locations: readonly NewLocation[]): Partial<Image> {
  const claimed: Partial<Record<keyof ClaimedDigests, string>> = {};
  for (const { digests } of locations) {
    for (const [name, value] of Object.entries(digests ?? {}) as [keyof ClaimedDigests, string][]) {
      const known = claimed[name] ?? image[name];
      if (known !== null && known !== value) {
        throw new ServiceError('Conflict', `The image is known to have another ${wireNames[name]}.`);
      }
      claimed[name] = value;
    }
  }
  const fresh = Object.keys(claimed).filter((name) => image[name as keyof ClaimedDigests] === null);
  if (fresh.length > 0 && image.status !== 'queued') {
    throw new ServiceError('Conflict', 'What the data must turn out to be can be said while the image is queued only.');
  }
  return claimed;
}

const wireNames = { checksum: 'checksum', osHashAlgo: 'os_hash_algo', osHashValue: 'os_hash_value' } as const;

type Location = Image['locations'][number];

/** Whether two locations do not differ. */
function same(a: Location, b: Location): boolean {
  return a.url === b.url && isDeepEqual(a.metadata, b.metadata);
}

function isDeepEqual(a: Location['metadata'], b: Location['metadata']): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** What has to be written for the locations of an image to become those of `after`; none is ever taken away. */
export function locationChanges(before: Image, after: Image): { added: Location[]; changed: Location[] } {
  if (before.locations === after.locations) return { added: [], changed: [] };
  const fresh = after.locations.filter((location) => !before.locations.some((old) => same(old, location)));
  const known = (url: string): boolean => before.locations.some((old) => old.url === url);
  const renewed = after.locations.length === before.locations.length;
  return {
    added: renewed ? [] : fresh,
    changed: renewed ? fresh.filter(({ url }) => known(url)) : [],
  };
}

const uuids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/**
 * Refuses a location in a store that bears the id of another image: whoever registers it would read, and with his image
 * delete, what is not his. Web servers name things as they like.
 */
export async function refuseForeign(tx: Statements, imageId: string, locations: readonly Location[]): Promise<void> {
  const urls = locations.filter(({ url }) => !/^https?:/i.test(url)).map(({ url }) => decoded(url));
  const named = [...new Set(urls.flatMap((url) => url.match(uuids) ?? []))].filter((id) => id !== imageId);
  if (named.length === 0) return;
  const marks = named.map(() => '?').join(', ');
  const rows = await tx.rows(`SELECT 1 FROM images WHERE id IN (${marks}) AND id <> ? LIMIT 1`, [...named, imageId]);
  if (rows.length > 0) throw new ServiceError('Forbidden', 'The location is that of another image.');
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
