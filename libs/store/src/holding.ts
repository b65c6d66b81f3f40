/** What a place has under one id, whole or in parts. */
export interface Holding {
  readonly objects: number;
  readonly bytes: number;
  /** When any of it was written last, in milliseconds of the epoch. */
  readonly modified: number;
}

/** Data that a deletion had to keep because others needed it. */
export interface Trash {
  /** Names it in its place. */
  readonly key: string;
  /** Of the image that it was. */
  readonly id: string;
  readonly bytes: number;
  /** When it was deleted, in milliseconds of the epoch. */
  readonly deleted: number;
}

/** What several places have of one id together; undefined if none has anything. */
export function together(holdings: readonly (Holding | undefined)[]): Holding | undefined {
  const found = holdings.filter((holding) => holding !== undefined);
  if (found.length === 0) return undefined;
  return {
    objects: found.reduce((sum, { objects }) => sum + objects, 0),
    bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    modified: Math.max(...found.map(({ modified }) => modified)),
  };
}
