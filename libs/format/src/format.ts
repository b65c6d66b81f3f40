export const formatNames = [
  'raw',
  'qcow2',
  'vhd',
  'vhdx',
  'vmdk',
  'vdi',
  'qed',
  'iso',
  'gpt',
  'luks',
  'ploop',
] as const;

/** What the bytes of an image can be recognised as; `gpt` is every disk with a boot record, `raw` is anything else. */
export type FormatName = (typeof formatNames)[number];

/** One reason not to trust an image: the check that failed (Glance's name where it has one), why, and how to mend it. */
export interface Unsafe {
  readonly format: FormatName;
  readonly check: string;
  readonly reason: string;
  readonly remedy: string;
}

export const HEAD_SIZE = 68 * 1024;
export const TAIL_SIZE = 3 * 512;

/**
 * The two ends of a stream, always of full length: zeros stand where the stream has no byte, so reading at a fixed
 * offset cannot fail, and a stream cut off inside a header is judged as a reader that pads with zeros would see it.
 */
export interface Ends {
  /** The first `HEAD_SIZE` bytes. */
  readonly head: Buffer;
  /** The last `TAIL_SIZE` bytes; zeros until the stream is complete. */
  readonly tail: Buffer;
  /** How many bytes came so far. */
  readonly size: number;
  readonly complete: boolean;
}

export interface Region {
  readonly offset: number;
  readonly length: number;
}

export interface Reading {
  /** Bytes, null where the header does not tell. */
  readonly virtualSize: number | null;
  readonly unsafe: readonly Omit<Unsafe, 'format'>[];
}

/** One disk image format. Nothing in it may throw, whatever the bytes are. */
export interface Format {
  readonly name: FormatName;
  /** A file that carries the signature and is shorter than this is cut off. */
  readonly headerSize: number;
  recognises(ends: Ends): boolean;
  read(ends: Ends): Reading;
  /** For a virtual size that lies deeper: asks for regions, in ascending order, and is given their bytes (zeros for what had passed). */
  findVirtualSize?(): Generator<Region, number | null, Buffer>;
  /** Whether a boot record in the first sector is part of this format, and not a second face of the file. */
  ownsBootRecord?(ends: Ends): boolean;
}
