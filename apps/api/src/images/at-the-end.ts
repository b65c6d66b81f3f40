import type { Tap } from '@glance/store';

/** Does `last` after the last byte has passed, and before anybody learns that it was the last. */
export function atTheEnd(last: () => Promise<void>): Tap<void> {
  return {
    async *through(data) {
      yield* data;
      await last();
    },
    result: () => undefined,
  };
}
