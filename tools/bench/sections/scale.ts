import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startMariadb } from '../../services/mariadb.js';
import { catalogue, imageIdOf } from '../catalogue.js';
import { Worker } from '../children.js';
import { Figures } from '../figures.js';
import { loginOptions } from '../login-options.js';
import { loadRun } from './image-requests.js';
import { startDebianGlance } from '../yardsticks/debian-glance.js';
import { expect } from '../image-api.js';
import type { Bench, Section, Verdict } from '../section.js';
import { startOurs, type Target } from '../target.js';
import type { LoadJob, LoadResult } from '../workers/load.js';

const SIZES = { smoke: [1_000, 3_000], full: [1_000, 100_000] };
const REQUESTS = { smoke: 3, full: 40 };
/** Of a service that takes seconds for each. */
const FEW = 3;
const PROJECTS = 1_000;
const LIMIT_MS = 50;

/** What is asked of a list, and how many images the answer has at the larger size; 25 if it is full. */
interface Work {
  readonly name: string;
  readonly query: string;
  readonly images?: number;
}

function works(count: number): Work[] {
  const marker = imageIdOf(Math.round(count * 0.1));
  return [
    { name: 'first page', query: '' },
    { name: 'page at 90 %', query: `marker=${marker}` },
    { name: 'by name', query: 'name=image-0000500', images: 1 },
    { name: 'by owner and visibility', query: `owner=project-8&visibility=private` },
    { name: 'by a property that 5 % have', query: 'os_distro=distro-3' },
    { name: 'by a property that one has', query: `instance_uuid=${imageIdOf(500)}`, images: 1 },
    { name: 'by a property that none has', query: 'os_distro=nothing', images: 0 },
    { name: 'by a tag that all have', query: 'tag=bench' },
    { name: 'by a tag that none has', query: 'tag=nothing', images: 0 },
    { name: 'by two tags', query: 'tag=bench&tag=group-8' },
    { name: 'by a status that none has', query: 'status=queued', images: 0 },
    { name: 'sorted by name', query: 'sort=name:asc' },
    { name: 'sorted by size', query: 'sort=size:desc' },
    { name: 'sorted by updated_at', query: 'sort=updated_at:asc' },
    { name: 'sorted by name, page at 90 %', query: `sort=name:desc&marker=${marker}` },
  ];
}

interface Session {
  readonly bench: Bench;
  readonly load: Worker<LoadJob, LoadResult>;
  readonly identity: number;
  readonly figures: Figures;
}

/** Lists of 25 images out of few and out of many, each beside many deleted ones, in MariaDB, at concurrency 1. */
export const scale: Section = {
  name: 'scale',
  async run(bench) {
    const load = new Worker<LoadJob, LoadResult>(new URL('../workers/load.ts', import.meta.url));
    const keystone = new Worker<object, number>(new URL('../workers/identity.ts', import.meta.url));
    const session = { bench, load, identity: await keystone.call({}), figures: new Figures() };
    for (const count of SIZES[bench.size]) await measureSize(session, count);
    await Promise.all([load.stop(), keystone.stop()]);
    const { figures } = session;
    return {
      title: `scale: lists of 25 images with 6 properties, 2 tags and a location each, in MariaDB`,
      columns: [
        { quantity: 'p50Ms', title: 'p50 ms', digits: 2 },
        { quantity: 'p99Ms', title: 'p99 ms', digits: 2 },
        { quantity: 'cpuMs', title: 'CPU ms of service and database', digits: 2 },
        { quantity: 'rows', title: 'rows read', digits: 0 },
      ],
      figures,
      verdicts: verdicts(figures, SIZES[bench.size]),
      notes: ['The rows are those that the database touched for one list, index entries included.'],
    };
  },
};

async function measureSize(session: Session, count: number): Promise<void> {
  const { bench, identity } = session;
  bench.progress(`scale: loading ${count} images`);
  const mariadb = await startMariadb();
  try {
    const url = await mariadb.createDatabase();
    const connection = `${url}?charset=utf8`;
    const directory = join(bench.directory, `scale-${count}`);
    await mkdir(directory);
    const ours = await startOurs(directory, undefined, { connection, lines: loginOptions(identity) });
    await mariadb.execute(
      catalogue(url.split('/').at(-1)!, { active: count, deleted: SIZES[bench.size].at(-1)!, projects: PROJECTS }),
    );
    const servers = [mariadb.pid];
    const rowsRead = async () => Number(await mariadb.execute(rowsQuery));
    const measureAll = async (target: Target, who: Who, project: string): Promise<void> => {
      const name = nameOf(who, count);
      for (const work of works(count).filter(({ name: text }) => text.includes(bench.work))) {
        bench.progress(`scale: ${work.name}, ${name}`);
        await measureWork(session, { ...target, name, servers }, { work, project, rowsRead });
      }
    };
    try {
      await measureAll(ours.target, 'admin', 'admin');
      await measureAll(ours.target, 'member', 'project-8');
    } catch (error) {
      throw await ours.explain(error);
    }
    await ours.stop();
    if (bench.targets.some(({ own }) => !own)) {
      const store = `stores = file\nfilesystem_store_datadir = ${directory}`;
      const other = await startDebianGlance(directory, { connection, hasSchema: true, workers: 2, store });
      await measureAll(other.target, 'other', 'admin');
      await other.stop();
    }
  } finally {
    await mariadb.close();
  }
}

/** `other` is Debian's Glance, asked as an administrator. */
type Who = 'admin' | 'member' | 'other';

const nameOf = (who: Who, count: number): string =>
  `${who === 'other' ? "Debian's Glance, admin" : who} of ${count.toLocaleString('en')}`;

const rowsQuery =
  "SELECT SUM(variable_value) FROM information_schema.global_status WHERE variable_name LIKE 'Handler_read%'";

async function measureWork(
  { bench, load, figures }: Session,
  target: Target,
  { work, project, rowsRead }: { work: Work; project: string; rowsRead: () => Promise<number> },
): Promise<void> {
  const { host, port, headers, name } = target;
  const path = `/v2/images?${work.query}`;
  const reply = await fetch(`http://${host}:${port}${path}`, { headers: { 'x-auth-token': project } });
  const { images } = (await reply.json()) as { images?: readonly unknown[] };
  expect(`the status of ${path}`, reply.status, 200);
  if (project === 'admin' && work.images !== undefined) expect(`the length of ${path}`, images?.length, work.images);
  const request = `GET ${path} HTTP/1.1\r\n${headers}X-Auth-Token: ${project}\r\n\r\n`;
  const requests = Array<string>(target.own ? REQUESTS[bench.size] : FEW).fill(request);
  const before = await rowsRead();
  const idle = (await rowsRead()) - before;
  const job: LoadJob = { host, port, connections: 1, requests, seconds: 'once', expect: { status: 200 } };
  const run = await loadRun(load, job, target);
  const rows = ((await rowsRead()) - before - 2 * idle) / requests.length;
  figures.add(work.name, name, { ...run, rows });
}

function verdicts(figures: Figures, [few, many]: readonly number[]): Verdict[] {
  const p50 = (work: string, who: Who, count: number) => figures.values(work, nameOf(who, count), 'p50Ms')[0];
  const names = [...new Set(figures.rows.map(({ work }) => work))];
  const growth = (['admin', 'member'] as const).flatMap((who) =>
    names.map((work) => p50(work, who, many!)! / p50(work, who, few!)!),
  );
  const beside = names.map((work) => (p50(work, 'other', many!) ?? NaN) / p50(work, 'admin', many!)!);
  const ours = figures.rows.filter(({ who }) => !who.startsWith('Debian'));
  const slowest = Math.max(...ours.flatMap(({ runs }) => runs.map((run) => run['p50Ms']!)));
  const size = many!.toLocaleString('en');
  return [
    { text: 'slowest p50, ms', values: [slowest], digits: 2, target: { atMost: LIMIT_MS } },
    {
      text: `p50 with ${size} images ÷ with ${few!.toLocaleString('en')}`,
      values: growth,
      digits: 2,
      target: { atMost: 2 },
    },
    {
      text: `p50 with ${size} images, Debian's Glance ÷ ours`,
      values: beside.filter((value) => !Number.isNaN(value)),
      digits: 1,
      target: { atLeast: 10 },
    },
  ];
}
