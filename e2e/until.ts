import { setTimeout as delay } from 'node:timers/promises';

/** Waits until something holds; throws with what was waited for if it does not within so many seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${seconds} seconds were not enough until ${what}.`);
    await delay(50);
  }
}
