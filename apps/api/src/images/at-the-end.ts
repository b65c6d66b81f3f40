import type { Tap } from '@glance/store';

/** Does `last`, which is told how many bytes there were, after the last has passed, and before anybody learns of it. */
export function atTheEnd(last: (size: number) => Promise<void>): Tap<void> {
  return {
    async *through(data) {
      let size = 0;
      for await (const chunk of data) {
        size += chunk.length;
        yield chunk;
      }
      await last(size);
    },
    result: () => undefined,
  };
}
