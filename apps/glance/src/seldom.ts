import type { Check } from './asker.js';

/** The same check; one that has succeeded holds for `interval` milliseconds, one that has failed is made again. */
export function seldom(interval: number, check: Check): Check {
  let next = 0;
  return async () => {
    const now = performance.now();
    if (now < next) return;
    await check();
    next = now + interval;
  };
}
