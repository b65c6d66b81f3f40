import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startMariadb } from '../../services/mariadb.js';
import { startRabbitmq } from '../../services/rabbitmq.js';
import { Worker } from '../children.js';
import { Figures, type Run } from '../figures.js';
import { cpuSeconds } from '../process-tree.js';
import type { Bench, Section, Verdict } from '../section.js';
import { type OurService, startOurs, type Target } from '../target.js';
import type { LoadJob, LoadResult } from '../workers/load.js';
import { type Load, createImages, loadRun, requestsOf } from './image-requests.js';

const SECONDS = { smoke: 0.4, full: 4 };
const WARM_UP = { smoke: 0.2, full: 3 };
const CONNECTIONS = [1, 16, 64];
const THREE = 'api, registry, RabbitMQ, MariaDB';
const ONE = 'one process, MariaDB';

/** Whose CPU time is told apart: a group of processes by the name of its column. */
type Parts = Readonly<Record<string, readonly number[]>>;

interface Side {
  readonly name: string;
  readonly target: Target;
  readonly parts: Parts;
}

interface Turn extends Side {
  readonly work: string;
  readonly job: LoadJob;
}

/** What it costs that api and registry are processes of their own, with a broker between them. */
export const processes: Section = {
  name: 'processes',
  async run(bench) {
    bench.progress('processes: starting the servers');
    const [mariadb, rabbitmq] = await Promise.all([startMariadb(), startRabbitmq()]);
    const load: Load = new Worker<LoadJob, LoadResult>(new URL('../workers/load.ts', import.meta.url));
    const figures = new Figures();
    try {
      const start = async (name: string, transportUrl?: string): Promise<OurService> => {
        const directory = join(bench.directory, `processes-${name}`);
        await mkdir(directory);
        const connection = `${await mariadb.createDatabase()}?charset=utf8`;
        return startOurs(directory, undefined, { connection, ...(transportUrl !== undefined && { transportUrl }) });
      };
      const three = await start('three', rabbitmq.url);
      const one = await start('one');
      const api = three.target.pids.filter((pid) => pid !== three.registryPid);
      const sides: Side[] = [
        {
          name: THREE,
          target: three.target,
          parts: { api, registry: [three.registryPid!], broker: [rabbitmq.pid], database: [mariadb.pid] },
        },
        { name: ONE, target: one.target, parts: { api: one.target.pids, database: [mariadb.pid] } },
      ];
      for (const side of sides) figures.add('start', side.name, startOf(side.name === THREE ? three : one));
      await measureSides({ bench, load, figures }, sides);
      await Promise.all([three.stop(), one.stop()]);
    } finally {
      await Promise.all([load.stop(), mariadb.close(), rabbitmq.close()]);
    }
    return {
      title: 'processes: show and list of 25, by the number of connections',
      columns: [
        { quantity: 'perSecond', title: 'requests/s', digits: 0, spread: true },
        { quantity: 'p50Ms', title: 'p50 ms', digits: 2 },
        { quantity: 'p99Ms', title: 'p99 ms', digits: 2 },
        ...['api', 'registry', 'broker', 'database'].map((part) => ({
          quantity: `${part}Ms`,
          title: `${part} CPU ms`,
          digits: 2,
        })),
        { quantity: 'cpuMs', title: 'CPU ms in all', digits: 2, spread: true },
        { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
        { quantity: 'apiStartSeconds', title: 'api start s', digits: 2 },
        { quantity: 'registryStartSeconds', title: 'registry start s', digits: 2 },
      ],
      figures,
      verdicts: verdicts(figures),
      notes: ['The CPU times are those per request. Memory is that of our processes.'],
    };
  },
};

function startOf({ startSeconds }: OurService): Run {
  return Object.fromEntries(Object.entries(startSeconds).map(([part, seconds]) => [`${part}StartSeconds`, seconds]));
}

async function measureSides(
  { bench, load, figures }: { bench: Bench; load: Load; figures: Figures },
  sides: readonly Side[],
): Promise<void> {
  const turns: Turn[] = [];
  for (const side of sides) {
    bench.progress(`processes: creating images, ${side.name}`);
    const { ids } = await createImages(load, side.target);
    const { show, list } = await requestsOf(side.target, ids);
    for (const connections of CONNECTIONS) {
      turns.push({ ...side, work: `show, ${connections}`, job: { ...show, connections } });
      turns.push({ ...side, work: `list, ${connections}`, job: { ...list, connections } });
    }
  }
  const chosen = turns.filter(({ work }) => work.includes(bench.work)).sort((a, b) => a.work.localeCompare(b.work));
  for (const { job } of chosen) await load.call({ ...job, seconds: WARM_UP[bench.size] });
  for (let round = 1; round <= bench.rounds; round++) {
    for (const { work, name, job, target, parts } of chosen) {
      bench.progress(`processes: round ${round} of ${bench.rounds}: ${work}, ${name}`);
      const before = cpuOf(parts);
      const run = await loadRun(load, { ...job, seconds: SECONDS[bench.size] }, target);
      const spent = Object.entries(cpuOf(parts)).map(([part, cpu]) => [part, cpu - before[part]!] as const);
      const each = (cpu: number) => (cpu * 1000) / run['requests']!;
      figures.add(work, name, {
        ...run,
        ...Object.fromEntries(spent.map(([part, cpu]) => [`${part}Ms`, each(cpu)])),
        cpuMs: each(spent.reduce((sum, [, cpu]) => sum + cpu, 0)),
      });
    }
  }
}

function cpuOf(parts: Parts): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([part, pids]) => [part, cpuSeconds(pids)]));
}

function verdicts(figures: Figures): Verdict[] {
  const work = 'show, 16';
  const of = (quantity: string) => figures.values(work, THREE, quantity);
  const registry = of('registryMs');
  const all: Verdict[] = [
    {
      text: `${work}: CPU ms of api and registry`,
      values: of('apiMs').map((api, round) => api + registry[round]!),
      digits: 2,
      target: { atMost: 0.6 },
    },
    { text: `${work}: CPU ms of all`, values: of('cpuMs'), digits: 2, target: { atMost: 1.1 } },
    ...['api', 'registry'].map((part) => ({
      text: `start of the ${part}, s`,
      values: figures.values('start', THREE, `${part}StartSeconds`),
      digits: 2,
      target: { atMost: 2 },
    })),
  ];
  return all.filter(({ values }) => values.length > 0);
}
