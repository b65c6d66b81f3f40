import { setTimeout as delay } from 'node:timers/promises';

/** Waits until something holds; throws with what was waited for if it does not within two minutes. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Two minutes were not enough until ${what}.`);
    await delay(50);
  }
}
