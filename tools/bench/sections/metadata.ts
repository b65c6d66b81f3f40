import { Worker } from '../children.js';
import { divide, Figures } from '../figures.js';
import type { LoadJob } from '../workers/load.js';
import { withLoopDelay } from '../measure.js';
import { ImageApi } from '../image-api.js';
import type { Bench, Column, Section, SectionResult, Verdict } from '../section.js';
import type { Target } from '../target.js';
import { type Load, IMAGES, createImages, loadRun, requestsOf } from './image-requests.js';

const SECONDS = { smoke: 0.4, full: 4 };
const WARM_UP = { smoke: 0.2, full: 2 };
const BARE = 'bare Fastify';

const columns: Column[] = [
  { quantity: 'perSecond', title: 'requests/s', digits: 0, spread: true },
  { quantity: 'p50Ms', title: 'p50 ms', digits: 2 },
  { quantity: 'p99Ms', title: 'p99 ms', digits: 2 },
  { quantity: 'cpuMs', title: 'server CPU ms/request', digits: 2, spread: true },
  { quantity: 'clientCpuMs', title: 'client CPU ms/request', digits: 3 },
  { quantity: 'memoryMiB', title: 'peak memory MiB', digits: 0 },
  { quantity: 'loopDelayMs', title: 'longest loop delay ms', digits: 0 },
];

/** One kind of request, as it is sent to one target. */
interface Work {
  readonly name: string;
  readonly job: LoadJob;
}

interface Prepared {
  readonly target: Target;
  readonly ids: readonly string[];
  readonly works: readonly Work[];
}

export const metadata: Section = {
  name: 'metadata',
  async run(bench) {
    const load: Load = new Worker(new URL('../workers/load.ts', import.meta.url));
    const fastify = new Worker<unknown, number>(new URL('../workers/bare-fastify.ts', import.meta.url));
    const figures = new Figures();
    const prepared: Prepared[] = [];
    for (const target of bench.targets) prepared.push(await prepare(bench, load, target, figures));

    const port = await fastify.call(await bareReply(prepared[0]!));
    const bare = bareWorks(port).filter(({ name }) => name.includes(bench.work));
    const turns = [
      ...bare.map(({ name, job }) => ({ name, job, who: BARE, whose: { pids: [fastify.pid] }, target: undefined })),
      ...prepared.flatMap(({ target, works }) =>
        works.map(({ name, job }) => ({ name, job, who: target.name, whose: target, target })),
      ),
    ];
    // The same work of all in turn, so that they meet the machine in the same state.
    const order = (prepared[0]?.works ?? []).map(({ name }) => name);
    turns.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    bench.progress('metadata: warming up');
    for (const { job } of turns) await load.call({ ...job, seconds: WARM_UP[bench.size] });
    for (let round = 1; round <= bench.rounds; round++) {
      for (const { name, job, who, whose, target } of turns) {
        bench.progress(`metadata: round ${round} of ${bench.rounds}: ${name}, ${who}`);
        const run = () => loadRun(load, { ...job, seconds: SECONDS[bench.size] }, whose);
        figures.add(name, who, await (target ? withLoopDelay(target, run) : run()));
      }
    }
    for (const { target, ids } of prepared) if (!target.own) await removeAll(bench, load, target, ids);
    await Promise.all([load.stop(), fastify.stop()]);
    return summary(bench, figures);
  },
};

async function prepare(bench: Bench, load: Load, target: Target, figures: Figures): Promise<Prepared> {
  bench.progress(`metadata: creating ${IMAGES} images, ${target.name}`);
  const { ids, run } = await createImages(load, target);
  figures.add(`create ${IMAGES} images, 8 connections`, target.name, run);
  const works = (await worksOf(target, ids)).filter(({ name }) => name.includes(bench.work));
  return { target, ids, works };
}

async function worksOf(target: Target, ids: readonly string[]): Promise<Work[]> {
  const { show, list, longList, pair } = await requestsOf(target, ids);
  return [
    { name: 'show, 1 connection', job: { ...show, connections: 1 } },
    { name: 'show, 16 connections', job: { ...show, connections: 16 } },
    { name: 'list of 25, 4 connections', job: { ...list, connections: 4 } },
    { name: 'list of 1,000, 2 connections', job: { ...longList, connections: 2 } },
    { name: 'create + delete, 16 connections', job: { ...pair, connections: 16 } },
  ];
}

function bareWorks(port: number): Work[] {
  const host = '127.0.0.1';
  const requests = [`GET / HTTP/1.1\r\nHost: ${host}:${port}\r\nUser-Agent: glance-bench\r\nAccept: */*\r\n\r\n`];
  const job = { host, port, seconds: 0, requests, expect: { status: 200 } };
  return [1, 16].map((connections) => ({
    name: `show, ${connections} connection${connections > 1 ? 's' : ''}`,
    job: { ...job, connections },
  }));
}

/** The object whose JSON is as long as a reply to show. */
async function bareReply({ target, ids }: Prepared): Promise<object> {
  const text = await new ImageApi(target).text(`/v2/images/${ids[0]!}`);
  const image = JSON.parse(text) as { name: string };
  const missing = Buffer.byteLength(text) - Buffer.byteLength(JSON.stringify(image));
  return { ...image, name: image.name + 'x'.repeat(missing) };
}

async function removeAll(bench: Bench, load: Load, target: Target, ids: readonly string[]): Promise<void> {
  bench.progress(`metadata: deleting ${ids.length} images, ${target.name}`);
  await load.call({
    host: target.host,
    port: target.port,
    connections: 4,
    requests: ids.map((id) => `DELETE ${target.path}/v2/images/${id} HTTP/1.1\r\n${target.headers}\r\n`),
    seconds: 'once',
    expect: { status: 204 },
  });
}

function summary(bench: Bench, figures: Figures): SectionResult {
  const [first, second] = bench.targets.map(({ name }) => name);
  const verdicts: Verdict[] = [];
  const values = (work: string, who: string, quantity: string) => figures.values(work, who, quantity);
  const ratio = (text: string, over: number[], under: number[], target: Verdict['target']) =>
    verdicts.push({ text, values: divide(over, under), digits: 2, ...(target && { target }) });
  const show = 'show, 16 connections';
  const ours = (work: string, quantity: string) => values(work, first!, quantity);
  ratio(`${show}: requests/s ÷ ${BARE}`, ours(show, 'perSecond'), values(show, BARE, 'perSecond'), { atLeast: 0.4 });
  ratio(`${show}: CPU ÷ ${BARE}`, ours(show, 'cpuMs'), values(show, BARE, 'cpuMs'), undefined);
  const limits = { 'list of 25, 4 connections': 3, 'list of 1,000, 2 connections': 80 };
  for (const [work, atMost] of Object.entries(limits)) {
    verdicts.push({ text: `${work}: CPU ms`, values: ours(work, 'cpuMs'), digits: 2, target: { atMost } });
  }
  const better = { [show]: 12, 'list of 25': 20, 'list of 1,000': 20, 'create + delete': 10 };
  for (const [prefix, atLeast] of Object.entries(better)) {
    const work = figures.rows.find((row) => row.work.startsWith(prefix))?.work;
    if (!second || !work) continue;
    const theirs = (quantity: string) => values(work, second, quantity);
    ratio(`${work}: CPU, ${second} ÷ ${first!}`, theirs('cpuMs'), ours(work, 'cpuMs'), { atLeast });
    ratio(
      `${work}: requests/s, ${first!} ÷ ${second}`,
      ours(work, 'perSecond'),
      theirs('perSecond'),
      prefix === show ? { atLeast } : undefined,
    );
  }
  return {
    title: `metadata: ${IMAGES} images with 6 properties and 2 tags each`,
    columns,
    figures,
    verdicts: verdicts.filter((verdict) => verdict.values.length > 0),
    notes: [],
  };
}
