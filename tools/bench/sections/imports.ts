import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run, timedRun, Worker } from '../children.js';
import { cpuBound, divide, Figures } from '../figures.js';
import { ImageApi } from '../image-api.js';
import { calmDisk, measure } from '../measure.js';
import { MIB, patternDigests, writeQcow2 } from '../pattern.js';
import type { Bench, Section, Verdict } from '../section.js';
import type { Target } from '../target.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { digestCosts, measureDigests } from '../yardsticks/openssl.js';
import { type Digests, service } from './data-peers.js';

const BYTES = { smoke: 64 * MIB, full: 2048 * MIB };

const UPLOAD = 'plain upload';
const STAGE = 'stage';
const IMPORT = 'glance-direct import of what is staged';
const WEB = 'web-download';
const CONVERSION = 'conversion of what is staged, qcow2 to raw';
const QEMU = 'qemu-img convert, and sync';
/** The name of what is no service. */
const TOOL = 'qemu-img';

interface Session {
  readonly bench: Bench;
  readonly client: Worker<TransferJob, TransferResult>;
  readonly figures: Figures;
  readonly bytes: number;
  readonly digests: Digests;
  readonly web: string;
  /** The same bytes as qcow2. */
  readonly qcow2: string;
}

/** Imports beside a plain upload of the same bytes. */
export const imports: Section = {
  name: 'import',
  async run(bench) {
    const bytes = BYTES[bench.size];
    const client = new Worker<TransferJob, TransferResult>(new URL('../workers/transfer.ts', import.meta.url));
    const server = new Worker<number, number>(new URL('../workers/pattern-server.ts', import.meta.url));
    const web = `http://127.0.0.1:${await server.call(bytes)}/`;
    const qcow2 = join(bench.directory, 'pattern.qcow2');
    await writeQcow2(qcow2, bytes);
    const digests = await patternDigests(bytes);
    const session = { bench, client, figures: new Figures(), bytes, digests, web, qcow2 };
    for (let round = 1; round <= bench.rounds; round++) {
      for (const target of bench.targets) {
        bench.progress(`import: round ${round} of ${bench.rounds}, ${target.name}`);
        await measureUpload(session, target);
        await measureImport(session, target);
        // Another service may let nobody import from here, and convert nothing.
        if (target.own) {
          await measureWeb(session, target);
          await measureConversion(session, target);
        }
      }
    }
    await Promise.all([client.stop(), server.stop()]);
    const first = bench.targets[0]!.name;
    const rate = (work: string) => session.figures.values(work, first, 'megabytesPerSecond');
    return {
      title: `import: ${bytes / MIB} MiB`,
      columns: [
        { quantity: 'megabytesPerSecond', title: 'MB/s', digits: 0, spread: true },
        { quantity: 'cpuPerGb', title: 'server CPU s/GB', digits: 2, spread: true },
        { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
      ],
      figures: session.figures,
      verdicts: [
        ...[IMPORT, STAGE, ...(bench.targets[0]!.own ? [WEB] : [])].map((work) => ({
          text: `${work}: MB/s ÷ ${UPLOAD}`,
          values: divide(rate(work), rate(UPLOAD)),
          digits: 2,
          target: { atLeast: 0.8 },
        })),
        ...(bench.targets[0]!.own ? conversionVerdicts(session, first) : []),
      ],
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
    await api.import(id);
    await api.untilActive(id);
  });
  await peer.check(paths);
  await peer.remove(paths);
}

async function measureWeb(session: Session, target: Target): Promise<void> {
  const peer = service(target, session.bytes, session.digests);
  const api = new ImageApi(target);
  const paths = await peer.open(1);
  const id = paths[0]!.split('/').at(-2)!;
  await timed(session, target, WEB, async () => {
    await api.import(id, session.web);
    await api.untilActive(id);
  });
  await peer.check(paths);
  await peer.remove(paths);
}

async function measureConversion(session: Session, target: Target): Promise<void> {
  const { bench, qcow2, figures, bytes, digests } = session;
  const raw = `${qcow2}.raw`;
  await calmDisk(bench.directory, bytes);
  const begin = performance.now();
  const { cpu } = await timedRun('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', qcow2, raw]);
  await run('sync', [raw]);
  const megabytesPerSecond = bytes / 1e6 / ((performance.now() - begin) / 1000);
  figures.add(QEMU, TOOL, { megabytesPerSecond, cpuPerGb: cpu / (bytes / 1e9) });
  await measureDigests(figures, raw, bytes);
  await rm(raw);

  const api = new ImageApi(target);
  const { id } = await api.create({ name: 'bench-data', disk_format: 'qcow2', container_format: 'bare' });
  await api.stage(id, qcow2);
  await timed(session, target, CONVERSION, async () => {
    await api.import(id);
    await api.untilActive(id);
  });
  const path = `${target.path}/v2/images/${id}/file`;
  const peer = service(target, bytes, digests);
  await peer.check([path]);
  await peer.remove([path]);
}

/**
 * A conversion beside `qemu-img` alone, which hashes nothing, and beside what the CPU allows for `qemu-img` and the digests
 * of its output.
 */
function conversionVerdicts({ bench, figures }: Session, name: string): Verdict[] {
  const ours = figures.values(CONVERSION, name, 'megabytesPerSecond');
  const tool = figures.values(QEMU, TOOL, 'megabytesPerSecond');
  const bound = cpuBound(bench.cores, [figures.values(QEMU, TOOL, 'cpuPerGb'), ...digestCosts(figures)]);
  const add = (text: string, values: number[], target?: Verdict['target']) => ({
    text: `${CONVERSION}: ${text}`,
    values,
    digits: 2,
    ...(target && { target }),
  });
  return [
    add(`MB/s ÷ ${QEMU}`, divide(ours, tool), { atLeast: 0.7 }),
    add('MB/s that the CPU allows', bound),
    add(`that bound ÷ ${QEMU}`, divide(bound, tool)),
    add('MB/s ÷ that bound', divide(ours, bound)),
  ];
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
  await calmDisk(bench.directory, bytes);
  const begin = performance.now();
  const { cpu, memory } = await measure(target, job);
  const seconds = (performance.now() - begin) / 1000;
  const cost = target.pids.length > 0 ? { cpuPerGb: cpu / (bytes / 1e9), memoryMiB: memory } : {};
  figures.add(work, target.name, { megabytesPerSecond: bytes / 1e6 / seconds, ...cost });
}
