import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker, temporaryDirectory } from '../children.js';
import { divide, Figures } from '../figures.js';
import { expect } from '../image-api.js';
import { measure } from '../measure.js';
import { MIB, patternDigests } from '../pattern.js';
import type { Bench, Column, Section, Verdict } from '../section.js';
import { type Target, startOurs } from '../target.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { type Peer, service } from './data-peers.js';

const BYTES = { smoke: 64 * MIB, full: 512 * MIB };
const [STORE, CACHE] = ['from its store', 'from the cache'];
const STREAMS = [1, 4];

const columns: Column[] = [
  { quantity: 'megabytesPerSecond', title: 'MB/s', digits: 0, spread: true },
  { quantity: 'cpuPerGb', title: 'server CPU s/GB', digits: 2, spread: true },
  { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
];

/** One service with a cache and one without, both on a directory of files: what a hit costs beside a file. */
export const cache: Section = {
  name: 'cache',
  async run(bench) {
    const bytes = BYTES[bench.size];
    const digests = await patternDigests(bytes);
    const client = new Worker<TransferJob, TransferResult>(new URL('../workers/transfer.ts', import.meta.url));
    const figures = new Figures();
    const services = [await started(bench, false), await started(bench, true)];
    const peers: (readonly [string, Peer, readonly string[]])[] = [];
    const job = { bytes, chunked: false, digest: false };
    for (const [index, { target }] of services.entries()) {
      const peer = service(target, bytes, digests);
      const paths = await peer.open(Math.max(...STREAMS));
      const { host, port, headers } = peer;
      const to = { ...job, host, port, headers, paths };
      await client.call({ ...to, direction: 'upload' });
      bench.progress('cache: first downloads');
      const rehearsal = await client.call({ ...to, direction: 'download', digest: true });
      for (const digest of rehearsal.sha512) expect('the sha512 of a first download', digest, digests.sha512);
      peers.push([index === 0 ? STORE : CACHE, peer, paths]);
    }
    await allCached(services[1]!.target, Math.max(...STREAMS));
    for (let round = 1; round <= bench.rounds; round++) {
      for (const streams of STREAMS) {
        for (const [who, peer, paths] of peers) {
          const work = nameOf(streams);
          bench.progress(`cache: round ${round} of ${bench.rounds}: ${work}, ${who}`);
          const { host, port, headers } = peer;
          const some = paths.slice(0, streams);
          const { result, cpu, memory } = await measure(peer, () =>
            client.call({ ...job, host, port, headers, paths: some, direction: 'download' }),
          );
          const gigabytes = (bytes * streams) / 1e9;
          figures.add(work, who, {
            megabytesPerSecond: (gigabytes * 1000) / result.seconds,
            cpuPerGb: cpu / gigabytes,
            memoryMiB: memory,
          });
        }
      }
    }
    await client.stop();
    for (const { stop } of services) await stop();
    return {
      title: `cache: downloads of ${bytes / MIB} MiB per stream, from a directory of files and from the image cache`,
      columns,
      figures,
      verdicts: STREAMS.map((streams) => verdict(figures, nameOf(streams))),
      notes: [],
    };
  },
};

const nameOf = (streams: number): string => `download, ${streams} ${streams === 1 ? 'stream' : 'streams'}`;

async function started(bench: Bench, cached: boolean) {
  const directory = await temporaryDirectory(bench.directory);
  await mkdir(join(directory, 'cache'));
  const lines = `[paste_deploy]\nflavor = caching\n[DEFAULT]\nimage_cache_dir = ${directory}/cache\n`;
  return startOurs(directory, undefined, cached ? { lines } : {});
}

async function allCached({ host, port, path }: Target, count: number): Promise<void> {
  for (;;) {
    const reply = await fetch(`http://${host}:${port}${path}/v2/cache`);
    const { cached_images } = (await reply.json()) as { cached_images: unknown[] };
    if (cached_images.length === count) return;
    await delay(50);
  }
}

function verdict(figures: Figures, work: string): Verdict {
  const rate = (who: string): number[] => figures.values(work, who, 'megabytesPerSecond');
  const values = divide(rate(CACHE), rate(STORE));
  return { text: `${work}: MB/s ${CACHE} ÷ ${STORE}`, values, digits: 2, target: { atLeast: 0.9 } };
}
