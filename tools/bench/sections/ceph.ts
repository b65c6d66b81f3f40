import { appendFile, copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startMariadb } from '../../services/mariadb.js';
import { type Ceph, startCeph } from '../../services/ceph.js';
import { Worker, run } from '../children.js';
import { Figures, type Run } from '../figures.js';
import { ImageApi } from '../image-api.js';
import { calmDisk, measure, withLoopDelay } from '../measure.js';
import { MIB, patternDigests, writePattern, writeQcow2 } from '../pattern.js';
import type { Bench, Section, Verdict } from '../section.js';
import { startOurs, type Target } from '../target.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import { startDebianGlance } from '../yardsticks/debian-glance.js';
import { boundVerdicts, startBound } from './bound.js';
import { type Digests, service } from './data-peers.js';
import { beside, columns, ofService, rate, takeTurns, type Way } from './ways.js';

const BYTES = { smoke: 64 * MIB, full: 2048 * MIB };
/** A reply of the cluster comes later by a random time up to this: half of it on average. */
const MOST_DELAY_SECONDS = 0.08;
const WORK = { upload: 'upload', download: 'download' };
const LATE = { upload: 'upload, late replies', download: 'download, late replies' };
const ONE_BY_ONE = 'Python, one by one';
const TOOL = 'rbd';
const CONVERSION = 'conversion of what is staged, qcow2 to raw';
const QEMU = 'qemu-img';

interface Session {
  readonly bench: Bench;
  readonly ceph: Ceph;
  readonly client: Worker<TransferJob, TransferResult>;
  readonly figures: Figures;
}

/** Images into an RBD pool and out of it, beside Glance's way and beside Ceph's own tool. */
export const ceph: Section = {
  name: 'ceph',
  async run(bench) {
    bench.progress('ceph: starting a cluster');
    const cluster = await startCeph();
    const client = new Worker<TransferJob, TransferResult>(new URL('../workers/transfer.ts', import.meta.url));
    const session: Session = { bench, ceph: cluster, client, figures: new Figures() };
    const bytes = BYTES[bench.size];
    const late = join(bench.directory, 'late-ceph.conf');
    try {
      await measureWays(session, WORK, cluster.conf, bytes);
      if (bench.size === 'full') {
        await copyFile(cluster.conf, late);
        // Read in the group [client], the last one.
        const options = `type = osd\nms inject delay max = ${MOST_DELAY_SECONDS}\nms inject delay probability = 1\n`;
        await appendFile(late, `ms inject delay ${options}`);
        await measureWays(session, LATE, late, bytes);
      }
    } finally {
      await Promise.all([client.stop(), cluster.close()]);
    }
    return {
      title: `ceph: ${bytes / MIB} MiB, into a pool and out of it`,
      columns,
      figures: session.figures,
      verdicts: verdicts(session),
      notes: [`Late replies: each reply of the cluster comes up to ${MOST_DELAY_SECONDS * 1000} ms late, by chance.`],
    };
  },
};

async function measureWays(session: Session, work: typeof WORK, conf: string, bytes: number): Promise<void> {
  const { bench, client, figures } = session;
  const directory = join(bench.directory, work === WORK ? 'ceph' : 'ceph-late');
  await mkdir(directory);
  const file = join(directory, 'pattern');
  await writePattern(file, bytes);
  const digests = await patternDigests(bytes);
  const store = storeOptions(session.ceph, conf);
  const ours = await startOurs(directory, undefined, { store });
  const debian =
    work === WORK && bench.targets.some(({ own }) => !own) ? await startOther(directory, store) : undefined;
  const targets = [ours.target, ...(debian ? [debian.target] : [])];
  const ways = [
    ...targets.map((target) => ofService({ client, target, bytes, digests })),
    oneByOne(session, conf, file, bytes),
    tool(session, conf, file, bytes),
  ];
  const bound = work === WORK ? await startBound({ bench, client, figures, directory, bytes, work }) : undefined;
  await takeTurns({ bench, figures, bytes }, 'ceph', work, ways, bound?.measure);
  await bound?.stop();
  if (work === WORK) await measureConversion(session, ours.target, { directory, bytes, digests });
  await Promise.all([ours.stop(), debian?.stop()]);
  await rm(file);
}

async function measureConversion(
  { bench, ceph: { conf, pool, user, ...cluster }, figures }: Session,
  target: Target,
  { directory, bytes, digests }: { readonly directory: string; readonly bytes: number; readonly digests: Digests },
): Promise<void> {
  const qcow2 = join(directory, 'pattern.qcow2');
  await writeQcow2(qcow2, bytes);
  const api = new ImageApi(target);
  const peer = service(target, bytes, digests);
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`ceph: round ${round} of ${bench.rounds}: ${CONVERSION}`);
    const { id } = await api.create({ name: 'bench-data', disk_format: 'qcow2', container_format: 'bare' });
    await api.stage(id, qcow2);
    const path = `${target.path}/v2/images/${id}/file`;
    await calmDisk(directory, bytes);
    const convertByImport = async (): Promise<void> => {
      await api.import(id);
      await api.untilActive(id);
    };
    const ours = await withLoopDelay(target, async () => {
      const { result, cpu, memory } = await measure(target, () => timed(bytes, convertByImport));
      return { ...result, cpuPerGb: cpu / (bytes / 1e9), memoryMiB: memory };
    });
    figures.add(CONVERSION, target.name, ours);
    await peer.check([path]);
    await peer.remove([path]);
    await calmDisk(directory, bytes);
    const disk = `rbd:${pool}/by-qemu:id=${user}:conf=${conf}`;
    const convert = ['convert', '-f', 'qcow2', '-O', 'raw', qcow2, disk];
    figures.add(CONVERSION, QEMU, await timed(bytes, () => run('qemu-img', convert)));
    await cluster.rbd('rm', '--no-progress', `${pool}/by-qemu`);
  }
  await rm(qcow2);
}

async function timed(bytes: number, work: () => Promise<unknown>): Promise<Run> {
  const begin = performance.now();
  await work();
  return rate(bytes, (performance.now() - begin) / 1000);
}

async function startOther(directory: string, store: string) {
  const mariadb = await startMariadb();
  const connection = `${await mariadb.createDatabase()}?charset=utf8`;
  const { target, stop } = await startDebianGlance(directory, { connection, workers: 2, store });
  return {
    target,
    async stop() {
      await stop();
      await mariadb.close();
    },
  };
}

function storeOptions({ pool, user }: Ceph, conf: string): string {
  return `stores = rbd
default_store = rbd
rbd_store_pool = ${pool}
rbd_store_user = ${user}
rbd_store_ceph_conf = ${conf}
rbd_store_chunk_size = 8
`;
}

function oneByOne({ ceph: { pool, user, ...cluster } }: Session, conf: string, file: string, bytes: number): Way {
  const script = fileURLToPath(new URL('../yardsticks/rbd-one-by-one.py', import.meta.url));
  const call = async (...what: string[]): Promise<Run> => {
    const { stdout } = await run('/usr/bin/python3', [script, conf, user, pool, ...what]);
    return rate(bytes, Number(stdout));
  };
  return {
    name: ONE_BY_ONE,
    upload: () => call('write', file),
    download: () => call('read', 'one-by-one'),
    remove: async () => {
      await cluster.rbd('rm', '--no-progress', `${pool}/one-by-one`);
    },
  };
}

function tool({ ceph: { pool, user, ...cluster } }: Session, conf: string, file: string, bytes: number): Way {
  const call = async (...what: string[]): Promise<Run> => {
    // What is exported to the standard output needs no disk.
    const [command, ...args] = ['rbd', '-c', conf, '--id', user, '--no-progress', ...what];
    return timed(bytes, () => run('/bin/sh', ['-c', 'exec "$0" "$@" >/dev/null', command, ...args]));
  };
  return {
    name: TOOL,
    upload: () => call('import', '--object-size', '8M', file, `${pool}/by-tool`),
    download: () => call('export', `${pool}/by-tool`, '-'),
    remove: async () => {
      await cluster.rbd('rm', '--no-progress', `${pool}/by-tool`);
    },
  };
}

function verdicts({ bench, figures }: Session): Verdict[] {
  const highest = (quantity: string) => Math.max(0, ...figures.allValues('ours', quantity));
  return [
    beside(figures, 'upload', ONE_BY_ONE, 1.8),
    beside(figures, 'upload', TOOL, 0.6),
    beside(figures, 'upload, late replies', ONE_BY_ONE, 2.5),
    beside(figures, 'download', ONE_BY_ONE, 1.5),
    beside(figures, 'download', TOOL, 0.8),
    ...boundVerdicts({ bench, figures, work: WORK }, TOOL, [ONE_BY_ONE, TOOL]),
    beside(figures, CONVERSION, QEMU, 0.7),
    beside(figures, 'upload', "Debian's Glance", 2),
    beside(figures, 'download', "Debian's Glance", 2),
    {
      text: 'longest delay of the event loop, ms',
      values: [highest('loopDelayMs')],
      digits: 0,
      target: { atMost: 50 },
    },
    { text: 'highest memory, MiB', values: [highest('memoryMiB')], digits: 0, target: { atMost: 300 } },
  ].filter(({ values }) => values.length > 0);
}
