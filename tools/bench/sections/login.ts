import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from '../children.js';
import { divide, Figures } from '../figures.js';
import { loginOptions } from '../login-options.js';
import type { Bench, Section, SectionResult } from '../section.js';
import { type OurService, startOurs } from '../target.js';
import type { LoadJob } from '../workers/load.js';
import { createImages, IMAGES, type Load, loadRun, requestsOf } from './image-requests.js';

const SECONDS = { smoke: 0.4, full: 4 };
const WARM_UP = { smoke: 0.3, full: 2 };
const WORK = 'show, 16 connections';

interface Side {
  readonly name: string;
  readonly service: OurService;
  readonly job: LoadJob;
}

/** What it costs that callers log in, once their token is known: two services in turn, in one run. */
export const login: Section = {
  name: 'login',
  async run(bench): Promise<SectionResult> {
    const load: Load = new Worker(new URL('../workers/load.ts', import.meta.url));
    const keystone = new Worker<object, number>(new URL('../workers/identity.ts', import.meta.url));
    const identity = await keystone.call({});
    const sides = [
      await prepare(bench, load, 'without a login', '', ''),
      await prepare(bench, load, 'with a token', loginOptions(identity), 'X-Auth-Token: admin\r\n'),
    ];
    const figures = new Figures();
    for (const { job } of sides) await load.call({ ...job, seconds: WARM_UP[bench.size] });
    for (let round = 1; round <= bench.rounds; round++) {
      for (const { name, service, job } of sides) {
        bench.progress(`login: round ${round} of ${bench.rounds}: ${name}`);
        figures.add(WORK, name, await loadRun(load, { ...job, seconds: SECONDS[bench.size] }, service.target));
      }
    }
    for (const { service } of sides) await service.stop();
    await Promise.all([load.stop(), keystone.stop()]);
    const [open, known] = sides.map(({ name }) => figures.values(WORK, name, 'perSecond'));
    return {
      title: `login: show, one of ${IMAGES} images, with a token that is known and without any`,
      columns: [
        { quantity: 'perSecond', title: 'requests/s', digits: 0, spread: true },
        { quantity: 'p50Ms', title: 'p50 ms', digits: 2 },
        { quantity: 'p99Ms', title: 'p99 ms', digits: 2 },
        { quantity: 'cpuMs', title: 'server CPU ms/request', digits: 2, spread: true },
      ],
      figures,
      verdicts: [
        {
          text: `${WORK}: requests/s with a token ÷ without a login`,
          values: divide(known!, open!),
          digits: 2,
          target: { atLeast: 0.75 },
        },
      ],
      notes: [],
    };
  },
};

async function prepare(bench: Bench, load: Load, name: string, lines: string, header: string): Promise<Side> {
  bench.progress(`login: creating ${IMAGES} images, ${name}`);
  const directory = join(bench.directory, `login${header === '' ? '' : '-token'}`);
  await mkdir(directory);
  const service = await startOurs(directory, undefined, { lines });
  const target = { ...service.target, headers: service.target.headers + header };
  const { ids } = await createImages(load, target);
  const { show } = await requestsOf(target, ids);
  return { name, service, job: { ...show, connections: 16 } };
}
