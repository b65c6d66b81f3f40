/** Fails with the reason, if what it looks at does not work. */
export type Check = () => Promise<void>;

/** Milliseconds that a check may take. Probes commonly wait for a second or two. */
const patience = 900;

/** Says what is wrong. A check that hangs is not begun again: each probe would leave one more behind. */
export function asker(name: string, check: Check): () => Promise<string | undefined> {
  let running: Promise<string | undefined> | undefined;
  return () => {
    running ??= check()
      .then(
        () => undefined,
        (error: unknown) => `${name}: ${error instanceof Error ? error.message : String(error)}`,
      )
      .finally(() => (running = undefined));
    return inTime(running, patience, `${name}: no answer within ${patience} ms`);
  };
}

/** What comes of `work`, or `otherwise` when that takes longer. */
export async function inTime<T>(work: Promise<T>, milliseconds: number, otherwise: T): Promise<T> {
  const late = Promise.withResolvers<T>();
  const timer = setTimeout(() => late.resolve(otherwise), milliseconds);
  const result = await Promise.race([work, late.promise]);
  clearTimeout(timer);
  return result;
}
