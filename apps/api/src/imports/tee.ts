import type { Bytes } from '@glance/store';

/** One reader's view of data that several read at the same time. */
export interface Branch extends AsyncIterable<Uint8Array> {
  /** Lets the others go on without this one. */
  leave(): void;
}

/**
 * Splits `data` into `count` branches, at the pace of the slowest: the next chunk is pulled when all of them have asked
 * for it, so that memory stays that of one reader. A branch that is left does not hold up the others; when all are, the
 * data is released.
 */
export function tee(data: Bytes, count: number): Branch[] {
  const source = data[Symbol.asyncIterator]();
  const present = new Set<object>();
  const waiting = new Set<object>();
  let round = Promise.withResolvers<IteratorResult<Uint8Array>>();

  const advance = (): void => {
    if (present.size === 0 || waiting.size < present.size) return;
    const { resolve, reject } = round;
    round = Promise.withResolvers();
    waiting.clear();
    source.next().then(resolve, reject);
  };
  const branch = (): Branch => {
    const me = {};
    present.add(me);
    const leave = (): void => {
      waiting.delete(me);
      if (!present.delete(me)) return;
      if (present.size === 0) void source.return?.().catch(() => undefined);
      else advance();
    };
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      if (!present.has(me)) return { done: true, value: undefined };
      const { promise } = round;
      waiting.add(me);
      advance();
      return promise;
    };
    const end = async (): Promise<IteratorResult<Uint8Array>> => {
      leave();
      return { done: true, value: undefined };
    };
    return { leave, [Symbol.asyncIterator]: () => ({ next, return: end }) };
  };
  return Array.from({ length: count }, branch);
}
