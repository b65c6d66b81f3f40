import type { Image, Visibility } from './image.js';

/** Attributes that a list may be sorted by. */
export const sortKeys = [
  'name',
  'status',
  'containerFormat',
  'diskFormat',
  'size',
  'id',
  'createdAt',
  'updatedAt',
] as const;
export type SortKey = (typeof sortKeys)[number];

export interface Sort {
  readonly key: SortKey;
  readonly direction: 'asc' | 'desc';
}

export type Comparison = 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte';

/** One condition of a list; all must hold. */
export type ImageFilter =
  | {
      readonly kind: 'oneOf';
      readonly attribute:
        | 'id'
        | 'name'
        | 'status'
        | 'diskFormat'
        | 'containerFormat'
        | 'owner'
        | 'checksum'
        | 'osHashAlgo'
        | 'osHashValue';
      readonly values: readonly string[];
    }
  | {
      readonly kind: 'number';
      readonly attribute: 'size' | 'minRam' | 'minDisk';
      readonly comparison: 'eq' | 'gte' | 'lte';
      readonly value: number;
    }
  | {
      readonly kind: 'time';
      readonly attribute: 'createdAt' | 'updatedAt';
      readonly comparison: Comparison;
      /** `YYYY-MM-DDTHH:MM:SSZ`. */
      readonly value: string;
    }
  | { readonly kind: 'protected'; readonly value: boolean }
  | { readonly kind: 'tag'; readonly value: string }
  | { readonly kind: 'property'; readonly name: string; readonly value: string };

export interface ImageQuery {
  readonly filters: readonly ImageFilter[];
  /** Absent: what Glance lists by default, which leaves community images of others out. */
  readonly visibility?: Visibility | 'all';
  /** Which memberships make a shared image visible in a list; `accepted` by default. */
  readonly memberStatus?: MemberStatus | 'all';
  /** Hidden images only, or (default) the others only. */
  readonly osHidden?: boolean;
  /** Most significant first; the registry adds `createdAt` and `id` so that the order is total. */
  readonly sort: readonly Sort[];
  readonly limit: number;
  /** The id of the last image of the page before. */
  readonly marker?: string;
}

export interface ImagePage {
  readonly images: readonly Image[];
}

export const memberStatuses = ['pending', 'accepted', 'rejected'] as const;
export type MemberStatus = (typeof memberStatuses)[number];

/** A project that a shared image is shared with. Times as in `Image`. */
export interface Member {
  readonly imageId: string;
  readonly memberId: string;
  readonly status: MemberStatus;
  readonly createdAt: string;
  readonly updatedAt: string;
}
