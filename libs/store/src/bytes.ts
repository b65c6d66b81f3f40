/**
 * A stream of bytes that is pulled: nothing moves until the consumer asks, so memory stays bounded by itself.
 * A chunk is the consumer's until it pulls the next one; then its memory may be used again. Who needs it longer copies.
 * Breaking out of the loop (or an error in it) releases everything upstream.
 */
export type Bytes = AsyncIterable<Uint8Array>;

/** Looks at (or holds back, or replaces) bytes on their way; `result` is valid once they have all passed. */
export interface Tap<T> {
  through(data: Bytes): Bytes;
  result(): T;
}
