import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './children.js';
import type { Run } from './figures.js';
import { writePattern } from './pattern.js';
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

/**
 * Comes before work that writes `bytes` to the disk of `directory`: the system has that much memory at hand, and nothing
 * that others have written is waited for by whoever syncs. Where free memory goes back to the host of a virtual machine,
 * whoever uses it first pays for getting it again (0.3 to 1 CPU s/GB), which is not part of the work.
 */
export async function calmDisk(directory: string, bytes: number): Promise<void> {
  const file = join(directory, 'calm');
  if (bytes > 0) await writePattern(file, bytes);
  await rm(file, { force: true });
  await run('sync', ['-f', directory]);
}

/** Adds the event loop's longest delay since `begin` to a run, for a target that shows it. */
export async function withLoopDelay(target: Target, work: () => Promise<Run>): Promise<Run> {
  await target.loopDelay();
  const run = await work();
  const delay = await target.loopDelay();
  return delay ? { ...run, loopDelayMs: delay.max } : run;
}
