/** What decides which versions of the API are announced. */
export interface ApiFeatures {
  readonly cache: boolean;
  readonly severalStores: boolean;
}

interface Version {
  readonly id: string;
  readonly status: 'CURRENT' | 'SUPPORTED';
}

/** Glance: the versions in the order in which it lists them. glanceclient looks for single entries of this list. */
function announcedVersions({ cache, severalStores }: ApiFeatures): readonly Version[] {
  const head = cache ? [18, 17, 16, 15, 14] : [15];
  const stores = severalStores ? [13, 12, 11, 10, 9, 8] : [9];
  const minors = [...head, ...stores, ...(cache ? [] : [17]), 7, 6, 5, 4, 3, 2, 1, 0];
  const current = cache ? 18 : 17;
  return minors.map((minor) => ({ id: `v2.${minor}`, status: minor === current ? 'CURRENT' : 'SUPPORTED' }));
}

/** The first path segments that lead to the API; all to the same. */
export function versionSegments(features: ApiFeatures): ReadonlySet<string> {
  return new Set(['v2', ...announcedVersions(features).map(({ id }) => id)]);
}

/** The version document, with links under `base`. */
export function versionDocument(features: ApiFeatures, base: string): string {
  const links = [{ rel: 'self', href: `${base}/v2/` }];
  return JSON.stringify({ versions: announcedVersions(features).map((version) => ({ ...version, links })) });
}
