import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `work` has ended, well or not, but no longer than `milliseconds`. */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const enough = new AbortController();
  const limit = sleep(milliseconds, undefined, { ref: false, signal: enough.signal });
  await Promise.allSettled([Promise.race([work, limit])]);
  enough.abort();
  await limit.catch(() => undefined);
}
