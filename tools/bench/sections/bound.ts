import { Worker } from '../children.js';
import { cpuBound, divide, type Figures } from '../figures.js';
import { measure } from '../measure.js';
import type { Bench, Verdict } from '../section.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { digestCosts, measureDigests } from '../yardsticks/openssl.js';
import { startNginx } from '../yardsticks/nginx.js';
import { bareReceiver, fileServer, type Peer } from './data-peers.js';
import { BARE, NGINX } from './data-verdicts.js';

/** What is measured, and where. */
export interface BoundWork {
  readonly bench: Bench;
  readonly client: Worker<TransferJob, TransferResult>;
  readonly figures: Figures;
  /** Has the file `pattern` of so many bytes. */
  readonly directory: string;
  readonly bytes: number;
  readonly work: { readonly upload: string; readonly download: string };
}

/** What a service between client and store has to do besides what a tool of the store does: receive and hash, or send. */
export async function startBound({ client, figures, directory, bytes, work }: BoundWork) {
  const receiver = new Worker<string, number>(new URL('../workers/bare-receiver.ts', import.meta.url));
  const bare = bareReceiver(await receiver.call(directory), receiver.pid, bytes);
  const nginx = await startNginx(directory);
  const transfer = async (peer: Peer, direction: 'upload' | 'download'): Promise<void> => {
    const { host, port, headers } = peer;
    const paths = await peer.open(1);
    const job = { host, port, headers, paths, bytes, direction, chunked: false, digest: false };
    const { result, cpu } = await measure(peer, () => client.call(job));
    await peer.remove(paths);
    const gigabytes = bytes / 1e9;
    figures.add(work[direction], peer.name, {
      megabytesPerSecond: (gigabytes * 1000) / result.seconds,
      cpuPerGb: cpu / gigabytes,
      allCpuPerGb: cpu / gigabytes + result.clientCpuSeconds / gigabytes,
    });
  };
  return {
    /** Once a round. */
    async measure(): Promise<void> {
      await measureDigests(figures, `${directory}/pattern`, bytes);
      await transfer(bare, 'upload');
      if (nginx) await transfer(fileServer(nginx.port, nginx.pid), 'download');
    },
    stop: () => receiver.stop(),
  };
}

/**
 * No service can be faster than the processors can do the work of the store and of a tool that uses it, and its own besides.
 * Also says how fast that is beside `others`.
 */
export function boundVerdicts(
  { bench, figures, work }: Pick<BoundWork, 'bench' | 'figures' | 'work'>,
  tool: string,
  others: readonly string[],
): Verdict[] {
  const all = (name: string, who: string) => figures.values(name, who, 'allCpuPerGb');
  const { upload, download } = work;
  const parts = [
    { name: upload, needs: [all(upload, tool), all(upload, BARE), ...digestCosts(figures)] },
    { name: download, needs: [all(download, tool), all(download, NGINX)] },
  ];
  return parts.flatMap(({ name, needs }): Verdict[] => {
    const speed = (who: string) => figures.values(name, who, 'megabytesPerSecond');
    const bound = cpuBound(bench.cores, needs);
    if (bound.length === 0) return [];
    return [
      { text: `${name}: MB/s that the CPU allows`, values: bound, digits: 0 },
      ...others.map((who) => ({ text: `${name}: that bound ÷ ${who}`, values: divide(bound, speed(who)), digits: 2 })),
      {
        text: `${name}: MB/s ÷ that bound`,
        values: divide(speed('ours'), bound),
        digits: 2,
        target: { atLeast: 0.75 },
      },
    ];
  });
}
