import { setTimeout as delay } from 'node:timers/promises';
import { run, Worker } from '../children.js';
import { eachRound, Figures } from '../figures.js';
import { ImageApi } from '../image-api.js';
import { measure } from '../measure.js';
import { MIB, patternDigests } from '../pattern.js';
import type { Bench, Section } from '../section.js';
import type { Target } from '../target.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { type Digests, service } from './data-peers.js';

const BYTES = { smoke: 64 * MIB, full: 2048 * MIB };

const UPLOAD = 'plain upload';
const STAGE = 'stage';
const IMPORT = 'glance-direct import of what is staged';

interface Session {
  readonly bench: Bench;
  readonly client: Worker<TransferJob, TransferResult>;
  readonly figures: Figures;
  readonly bytes: number;
  readonly digests: Digests;
}

/** Imports beside a plain upload of the same bytes. */
export const imports: Section = {
  name: 'import',
  async run(bench) {
    const bytes = BYTES[bench.size];
    const client = new Worker<TransferJob, TransferResult>(new URL('../workers/transfer.ts', import.meta.url));
    const session = { bench, client, figures: new Figures(), bytes, digests: await patternDigests(bytes) };
    for (let round = 1; round <= bench.rounds; round++) {
      for (const target of bench.targets) {
        bench.progress(`import: round ${round} of ${bench.rounds}, ${target.name}`);
        await measureUpload(session, target);
        await measureImport(session, target);
      }
    }
    await client.stop();
    const first = bench.targets[0]!.name;
    const rate = (work: string) => session.figures.values(work, first, 'megabytesPerSecond');
    const beside = (work: string) => eachRound([rate(work), rate(UPLOAD)], (a, b) => a / b);
    return {
      title: `import: ${bytes / MIB} MiB`,
      columns: [
        { quantity: 'megabytesPerSecond', title: 'MB/s', digits: 0, spread: true },
        { quantity: 'cpuPerGb', title: 'server CPU s/GB', digits: 2, spread: true },
        { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
      ],
      figures: session.figures,
      verdicts: [IMPORT, STAGE].map((work) => ({
        text: `${work}: MB/s ÷ ${UPLOAD}`,
        values: beside(work),
        digits: 2,
        target: { atLeast: 0.8 },
      })),
      notes: [],
    };
  },
};

async function measureUpload(session: Session, target: Target): Promise<void> {
  const peer = service(target, session.bytes, session.digests);
  const paths = await peer.open(1);
  await timed(session, target, UPLOAD, () => send(session, target, paths));
  await peer.check(paths);
  await peer.remove(paths);
}

async function measureImport(session: Session, target: Target): Promise<void> {
  const peer = service(target, session.bytes, session.digests);
  const api = new ImageApi(target);
  const paths = await peer.open(1);
  const id = paths[0]!.split('/').at(-2)!;
  await timed(session, target, STAGE, () => send(session, target, [paths[0]!.replace(/file$/, 'stage')]));
  await timed(session, target, IMPORT, async () => {
    await api.importStaged(id);
    while ((await api.show(id))['status'] !== 'active') await delay(20);
  });
  await peer.check(paths);
  await peer.remove(paths);
}

async function send({ client, bytes }: Session, { host, port, headers }: Target, paths: readonly string[]) {
  await client.call({ host, port, headers, paths, bytes, direction: 'upload', chunked: false, digest: false });
}

async function timed(
  { figures, bytes, bench }: Session,
  target: Target,
  work: string,
  job: () => Promise<void>,
): Promise<void> {
  // What others have written must not be waited for by whoever syncs next.
  await run('sync', ['-f', bench.directory]);
  const begin = performance.now();
  const { cpu, memory } = await measure(target, job);
  const seconds = (performance.now() - begin) / 1000;
  const cost = target.pids.length > 0 ? { cpuPerGb: cpu / (bytes / 1e9), memoryMiB: memory } : {};
  figures.add(work, target.name, { megabytesPerSecond: bytes / 1e6 / seconds, ...cost });
}
