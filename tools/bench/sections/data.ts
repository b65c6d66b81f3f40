import { join } from 'node:path';
import { Worker, temporaryDirectory } from '../children.js';
import { Figures, type Run } from '../figures.js';
import { expect } from '../image-api.js';
import { calmDisk, measure, withLoopDelay } from '../measure.js';
import { MIB, patternDigests, writePattern } from '../pattern.js';
import type { Bench, Column, Section } from '../section.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { startNginx } from '../yardsticks/nginx.js';
import { measureDigests } from '../yardsticks/openssl.js';
import { type Digests, type Peer, bareReceiver, fileServer, service } from './data-peers.js';
import { DISK, dataVerdicts, transfers } from './data-verdicts.js';

const BYTES = { smoke: 64 * MIB, full: 1024 * MIB };
const LARGE = 4096 * MIB;
const MOST_STREAMS = 4;

const columns: Column[] = [
  { quantity: 'megabytesPerSecond', title: 'MB/s', digits: 0, spread: true },
  { quantity: 'cpuPerGb', title: 'server CPU s/GB', digits: 2, spread: true },
  { quantity: 'clientCpuPerGb', title: 'client CPU s/GB', digits: 2 },
  { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
  { quantity: 'loopDelayMs', title: 'longest loop delay ms', digits: 0 },
];

interface Session {
  readonly bench: Bench;
  readonly client: Worker<TransferJob, TransferResult>;
  readonly figures: Figures;
  readonly bytes: number;
  readonly directory: string;
}

type Transfer = Pick<TransferJob, 'direction' | 'chunked'>;

export const data: Section = {
  name: 'data',
  async run(bench) {
    const bytes = BYTES[bench.size];
    const directory = await temporaryDirectory(bench.directory);
    const session: Session = {
      bench,
      client: new Worker(new URL('../workers/transfer.ts', import.meta.url)),
      figures: new Figures(),
      bytes,
      directory,
    };
    const file = join(directory, 'pattern');
    bench.progress('data: the disk, openssl');
    await measureDisk(session, file);
    const digests = await measureDigests(session.figures, file, bytes);

    const receiver = new Worker<string, number>(new URL('../workers/bare-receiver.ts', import.meta.url));
    const bare = bareReceiver(await receiver.call(directory), receiver.pid, bytes);
    const nginx = await startNginx(directory);
    const targets = bench.targets.map((target) => service(target, bytes, digests));
    const senders = nginx ? [...targets, fileServer(nginx.port, nginx.pid)] : targets;

    await rehearse(session, bare, digests);
    const sources = new Map<Peer, string[]>();
    for (const peer of senders) sources.set(peer, await rehearse(session, peer, digests));
    for (let round = 1; round <= bench.rounds; round++) {
      if (round > 1) await measureDigests(session.figures, file, bytes);
      for (const work of transfers.filter(({ name }) => name.includes(bench.work))) {
        for (const peer of work.direction === 'upload' ? [...targets, bare] : senders) {
          bench.progress(`data: round ${round} of ${bench.rounds}: ${work.name}, ${peer.name}`);
          const upload = work.direction === 'upload';
          const paths = upload ? await peer.open(work.streams) : sources.get(peer)!.slice(0, work.streams);
          session.figures.add(work.name, peer.name, await timed(session, peer, paths, work));
          if (upload) await finish(peer, paths);
        }
      }
    }
    for (const [peer, paths] of sources) await peer.remove(paths);
    if (bench.size === 'full' && '4 GiB'.includes(bench.work)) await measureLarge(session);
    await Promise.all([session.client.stop(), receiver.stop()]);
    return {
      title: `data: ${bytes / MIB} MiB per stream (MB = 10⁶ bytes, GB = 10⁹ bytes)`,
      columns,
      figures: session.figures,
      verdicts: dataVerdicts(bench, session.figures),
      notes: nginx ? [] : ['nginx is not installed: no yardstick for downloads.'],
    };
  },
};

/** Transfers once in each direction, so that code is compiled when time counts, and checks that the bytes are right. */
async function rehearse(session: Session, peer: Peer, { sha512 }: Digests): Promise<string[]> {
  const { bench, client, bytes } = session;
  bench.progress(`data: rehearsing, ${peer.name}`);
  const { host, port, headers } = peer;
  const paths = await peer.open(MOST_STREAMS);
  const job = { host, port, headers, bytes, paths, chunked: false, digest: false };
  if (peer.receives) await client.call({ ...job, direction: 'upload' });
  await peer.check(paths);
  if (!peer.sends) {
    await peer.remove(paths);
    return [];
  }
  await checkDownload(session, peer, paths[0]!, sha512);
  return paths;
}

/** A client that reads as fast as it can discard would not notice wrong bytes. */
async function checkDownload({ client, bytes }: Session, peer: Peer, path: string, sha512: string): Promise<void> {
  const { host, port, headers } = peer;
  const job = { host, port, headers, bytes, paths: [path], chunked: false };
  const result = await client.call({ ...job, direction: 'download', digest: true });
  expect(`the sha512 of a download from ${peer.name}`, result.sha512[0], sha512);
}

async function timed(session: Session, peer: Peer, paths: readonly string[], work: Transfer): Promise<Run> {
  const { client, bytes, bench } = session;
  const { host, port, headers, pids, target } = peer;
  const { direction, chunked } = work;
  const job = { host, port, headers, paths, bytes, direction, chunked, digest: false };
  await calmDisk(bench.directory, direction === 'upload' ? bytes * paths.length : 0);
  const gigabytes = (bytes * paths.length) / 1e9;
  const transfer = async () => {
    const { result, cpu, memory } = await measure(peer, () => client.call(job));
    return {
      megabytesPerSecond: (gigabytes * 1000) / result.seconds,
      ...(pids.length > 0 && { cpuPerGb: cpu / gigabytes, memoryMiB: memory }),
      clientCpuPerGb: result.clientCpuSeconds / gigabytes,
    };
  };
  return target ? withLoopDelay(target, transfer) : transfer();
}

async function finish(peer: Peer, paths: readonly string[]): Promise<void> {
  await peer.check(paths);
  await peer.remove(paths);
}

/** One image of 4 GiB each way: what matters is memory and the event loop. */
async function measureLarge(session: Session): Promise<void> {
  const { bench, figures } = session;
  bench.progress('data: digests of 4 GiB');
  const digests = await patternDigests(LARGE);
  const large = { ...session, bytes: LARGE };
  for (const target of bench.targets) {
    const peer = service(target, LARGE, digests);
    for (const chunked of [false, true]) {
      const paths = await peer.open(1);
      const name = `4 GiB upload, ${chunked ? 'chunked' : 'Content-Length'}`;
      bench.progress(`data: ${name}, ${peer.name}`);
      figures.add(name, peer.name, await timed(large, peer, paths, { chunked, direction: 'upload' }));
      if (chunked) {
        bench.progress(`data: 4 GiB download, ${peer.name}`);
        const run = await timed(large, peer, paths, { chunked, direction: 'download' });
        figures.add('4 GiB download', peer.name, run);
        await checkDownload(large, peer, paths[0]!, digests.sha512);
      }
      await finish(peer, paths);
    }
  }
}

async function measureDisk({ figures, bytes }: Session, file: string): Promise<void> {
  const { written, durable } = await writePattern(file, bytes);
  figures.add('write a file', DISK, { megabytesPerSecond: bytes / 1e6 / written });
  figures.add('write a file and fsync', DISK, { megabytesPerSecond: bytes / 1e6 / durable });
}
