import { ServiceError } from '@glance/domain';

export interface RbdLocation {
  /** The configured one if absent. */
  readonly pool?: string;
  readonly image: string;
  readonly snapshot?: string;
}

/** The name of the snapshot that an image is read from and cloned from. */
export const snapshotName = 'snap';

/** `rbd://<fsid>/<pool>/<image>/<snapshot>`. Glance: Nova and Cinder compare the fsid with that of their cluster. */
export function rbdUrl(fsid: string, pool: string, image: string): string {
  return `rbd://${[fsid, pool, image, snapshotName].map(quoted).join('/')}`;
}

/**
 * What a URL says: the form above, or `rbd://<image>`, which old databases have. `BadLocation` for others. The fsid is
 * not looked at: when a cluster was restored or mirrored, the URLs have that of the old one.
 */
export function rbdLocation(url: string): RbdLocation {
  const pieces = /^rbd:\/\/([!-~]+)$/.exec(url)?.[1]?.split('/').map(unquoted) ?? [];
  const [first, pool, image, snapshot] = pieces;
  if (pieces.every(Boolean)) {
    if (first && pieces.length === 1) return { image: first };
    if (pool && image && snapshot && pieces.length === 4) return { pool, image, snapshot };
  }
  throw new ServiceError(
    'BadLocation',
    'A location in Ceph is rbd://<fsid>/<pool>/<image>/<snapshot> or rbd://<image>.',
  );
}

// Glance: Python's quote, which escapes more than encodeURIComponent.
function quoted(piece: string): string {
  const escape = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(piece).replace(/[!'()*]/g, escape);
}

function unquoted(piece: string): string {
  try {
    return decodeURIComponent(piece);
  } catch {
    return '';
  }
}
