export interface ImageStat {
  /** Bytes. */
  readonly size: number;
  /** Bytes of each object that holds a part of the image: two to the power of `order`. */
  readonly objectSize: number;
  readonly order: number;
}

export interface Snapshot {
  readonly id: bigint;
  readonly name: string;
  /** Bytes of the image when it was made. */
  readonly size: number;
  /** `trash`: removed by its user, and kept because clones still need it. */
  readonly kind: 'user' | 'group' | 'trash' | 'mirror';
}

export interface Child {
  readonly pool: string;
  readonly namespace: string;
  readonly id: string;
  readonly name: string;
  /** It is in the trash of its pool. */
  readonly trash: boolean;
}

export interface Watcher {
  /** Where its client is. */
  readonly address: string;
  /** `Cluster.instanceId` of its client. */
  readonly client: number;
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
  /** Whether there is data; without, it reads as zeros. */
  readonly exists: boolean;
}

export interface Opening {
  readonly name?: string | undefined;
  /** Finds images in the trash, too. Instead of `name`. */
  readonly id?: string | undefined;
  /** What is read is this snapshot. */
  readonly snapshot?: string | undefined;
  /** Nobody is kept from removing the image. */
  readonly readOnly?: boolean | undefined;
}
