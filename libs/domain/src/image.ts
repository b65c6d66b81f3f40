import type { ImageStatus } from './status.js';

export const visibilities = ['public', 'community', 'shared', 'private'] as const;

/** public: everybody, listed · community: everybody by id · shared: owner and members · private: owner. */
export type Visibility = (typeof visibilities)[number];

/** Where a copy of an image's data lies. */
export interface ImageLocation {
  /** A store's URL, for instance `file:///var/lib/glance/images/<id>`. May hold credentials: never log it. */
  readonly url: string;
  /** `store` names the back end when several are configured. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the data at a new location is said to be. */
export interface ClaimedDigests {
  /** md5, hex. */
  readonly checksum?: string;
  readonly osHashAlgo: string;
  /** Hex, by `osHashAlgo`. */
  readonly osHashValue: string;
}

/** Data that lies somewhere already and that an image is to refer to. */
export interface NewLocation extends ImageLocation {
  /** Bytes, as its store says; needed where the image is not known to have this location. */
  readonly size?: number;
  readonly digests?: ClaimedDigests;
}

/** What is known of an image. Times are `YYYY-MM-DDTHH:MM:SSZ`, sizes bytes, `minDisk` GiB, `minRam` MiB. */
export interface Image {
  readonly id: string;
  readonly name: string | null;
  /** The project that owns it. */
  readonly owner: string | null;
  readonly status: ImageStatus;
  readonly visibility: Visibility;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly size: number | null;
  readonly virtualSize: number | null;
  /** md5 of the data, hex. */
  readonly checksum: string | null;
  readonly osHashAlgo: string | null;
  /** Hex, by `osHashAlgo`. */
  readonly osHashValue: string | null;
  readonly minDisk: number;
  readonly minRam: number;
  readonly protected: boolean;
  readonly osHidden: boolean;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly tags: readonly string[];
  readonly locations: readonly ImageLocation[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** The attributes that a client sets; the rest is the server's. */
export interface ImageAttributes {
  readonly name: string | null;
  readonly owner: string | null;
  readonly visibility: Visibility;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly minDisk: number;
  readonly minRam: number;
  readonly protected: boolean;
  readonly osHidden: boolean;
}

/** What a client asks to register. What is absent takes its default; an absent `id` is made up. */
export interface NewImage extends Partial<ImageAttributes> {
  readonly id?: string;
  readonly properties?: Readonly<Record<string, string | null>>;
  readonly tags?: readonly string[];
}

/** One step of a PATCH, already checked for its syntax. Steps apply in order, all or none. */
export type ImageChange =
  | { readonly kind: 'attribute'; readonly set: Partial<ImageAttributes> }
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  | {
      readonly kind: 'property';
      readonly op: 'add' | 'replace' | 'remove';
      readonly name: string;
      /** Absent for `remove`. */
      readonly value?: string | null;
      /** Glance: the `add` of the 2.0 patch dialect refuses what exists, that of 2.1 overwrites it. */
      readonly mustNotExist?: boolean;
    }
  /** `add`: behind those that are there. `replace`: the first ones, or other metadata for those that are there. */
  | { readonly kind: 'locations'; readonly op: 'add' | 'replace'; readonly locations: readonly NewLocation[] };

/** What became known while the bytes of an image were stored. */
export interface StoredData {
  readonly size: number;
  /** Null where the format does not tell. */
  readonly virtualSize: number | null;
  /** Null of data that was not read. */
  readonly checksum: string | null;
  readonly osHashAlgo: string | null;
  readonly osHashValue: string | null;
  readonly location: ImageLocation;
  /** Of data that was converted while it was stored. */
  readonly diskFormat?: string;
}
