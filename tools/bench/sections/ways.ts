import type { Worker } from '../children.js';
import { divide, type Figures, type Run } from '../figures.js';
import { calmDisk, measure, withLoopDelay } from '../measure.js';
import { cpuSeconds } from '../process-tree.js';
import type { Bench, SectionResult, Verdict } from '../section.js';
import type { Target } from '../target.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { type Digests, service } from './data-peers.js';

/** One way for bytes into a store and out of it. */
export interface Way {
  readonly name: string;
  upload(): Promise<Run>;
  download(): Promise<Run>;
  /** Removes what the upload made. */
  remove(): Promise<unknown>;
}

export interface ServiceWay {
  readonly client: Worker<TransferJob, TransferResult>;
  readonly target: Target;
  /** Of each stream. */
  readonly bytes: number;
  readonly digests: Digests;
  /** At once; several are of unknown length. One if absent. */
  readonly streams?: number;
}

export const columns: SectionResult['columns'] = [
  { quantity: 'megabytesPerSecond', title: 'MB/s', digits: 0, spread: true },
  { quantity: 'cpuPerGb', title: 'server CPU s/GB', digits: 2, spread: true },
  { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
  { quantity: 'loopDelayMs', title: 'longest loop delay ms', digits: 0 },
  { quantity: 'allCpuPerGb', title: 'CPU s/GB with client and store', digits: 2 },
];

export const rate = (bytes: number, seconds: number): Run => ({ megabytesPerSecond: bytes / 1e6 / seconds });

/** Through the service. */
export function ofService({ client, target, bytes, digests, streams = 1 }: ServiceWay): Way {
  const peer = service(target, bytes, digests);
  const { host, port, headers } = target;
  let paths: string[] = [];
  const timed = async (direction: 'upload' | 'download'): Promise<Run> =>
    withLoopDelay(target, async () => {
      const job = { host, port, headers, paths, bytes, direction, chunked: streams > 1, digest: false };
      const { result, cpu, memory } = await measure(target, () => client.call(job));
      const all = bytes * streams;
      return { ...rate(all, result.seconds), cpuPerGb: cpu / (all / 1e9), memoryMiB: memory };
    });
  return {
    name: target.name,
    async upload() {
      paths = await peer.open(streams);
      const figures = await timed('upload');
      await peer.check(paths);
      return figures;
    },
    download: () => timed('download'),
    remove: () => peer.remove(paths),
  };
}

/** An upload, a download and the removal in each of `ways`, and then what is measured besides, in each round. */
export async function takeTurns(
  { bench, figures, bytes }: { readonly bench: Bench; readonly figures: Figures; readonly bytes: number },
  section: string,
  work: { readonly upload: string; readonly download: string },
  ways: readonly Way[],
  besides?: () => Promise<void>,
): Promise<void> {
  // Everything that takes part was started by this process.
  const whole = async (once: () => Promise<Run>): Promise<Run> => {
    const before = cpuSeconds([process.pid]);
    const run = await once();
    return { ...run, allCpuPerGb: (cpuSeconds([process.pid]) - before) / (bytes / 1e9) };
  };
  for (let round = 1; round <= bench.rounds; round++) {
    for (const way of ways) {
      bench.progress(`${section}: round ${round} of ${bench.rounds}: ${work.upload}, ${way.name}`);
      await calmDisk(bench.directory, bytes);
      figures.add(work.upload, way.name, await whole(() => way.upload()));
      figures.add(work.download, way.name, await whole(() => way.download()));
      await way.remove();
    }
    await besides?.();
  }
}

/** Ours beside somebody else's. */
export function beside(figures: Figures, work: string, who: string, atLeast: number): Verdict {
  const of = (name: string) => figures.values(work, name, 'megabytesPerSecond');
  const values = divide(of('ours'), of(who));
  return { text: `${work}: MB/s ÷ ${who}`, values, digits: 2, target: { atLeast } };
}
