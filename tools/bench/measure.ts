import type { Run } from './figures.js';
import { cpuSeconds, peakMemory, resetPeakMemory } from './process-tree.js';
import type { Target } from './target.js';

/**
 * Runs `work` and says what it cost the processes: CPU seconds, those of `servers` included, and the peak of their
 * memory meanwhile, in MiB.
 */
export async function measure<T>(
  { pids, servers = [] }: Pick<Target, 'pids' | 'servers'>,
  work: () => Promise<T>,
): Promise<{ result: T; cpu: number; memory: number }> {
  resetPeakMemory(pids);
  const busy = [...pids, ...servers];
  const before = cpuSeconds(busy);
  const result = await work();
  return { result, cpu: cpuSeconds(busy) - before, memory: peakMemory(pids) / 2 ** 20 };
}

/** Adds the event loop's longest delay since `begin` to a run, for a target that shows it. */
export async function withLoopDelay(target: Target, work: () => Promise<Run>): Promise<Run> {
  await target.loopDelay();
  const run = await work();
  const delay = await target.loopDelay();
  return delay ? { ...run, loopDelayMs: delay.max } : run;
}
