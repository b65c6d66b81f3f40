import { writeFile } from 'node:fs/promises';
import { cleanUp, temporaryDirectory } from './children.js';
import { spread } from './figures.js';
import { machineFacts } from './machine.js';
import { DEBIAN, type Options, readOptions } from './options.js';
import { cpuSeconds, machineCpuSeconds } from './process-tree.js';
import { printSection, printTable } from './report.js';
import type { Bench, Section, SectionResult } from './section.js';
import { cache } from './sections/cache.js';
import { ceph } from './sections/ceph.js';
import { data } from './sections/data.js';
import { imports } from './sections/imports.js';
import { login } from './sections/login.js';
import { objects } from './sections/objects.js';
import { metadata } from './sections/metadata.js';
import { processes } from './sections/processes.js';
import { scale } from './sections/scale.js';
import { scrubbing } from './sections/scrubbing.js';
import { type OurService, type Target, attach, startOurs } from './target.js';
import { startPair } from './yardsticks/debian-glance.js';

const sections: readonly Section[] = [
  metadata,
  login,
  processes,
  data,
  cache,
  ceph,
  objects,
  imports,
  scale,
  scrubbing,
];

// Ctrl-C in a terminal also reaches npm and bench.mjs, which passes it on: only the first one counts.
let doing = '';
const stop = new AbortController();
for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const, ['SIGHUP', 129] as const]) {
  process.on(signal, () => {
    if (stop.signal.aborted) return;
    stop.abort();
    void cleanUp().finally(() => process.exit(code));
  });
}

try {
  const options = readOptions(
    process.argv.slice(2),
    sections.map(({ name }) => name),
  );
  if (options) await benchmark(options);
} catch (error) {
  const where = doing === '' ? '' : `${doing}: `;
  if (!stop.signal.aborted) console.error(`\n${where}${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await cleanUp();
  // Ends the database and the broker of a comparison, which would keep this process.
  process.exit();
}

async function benchmark(options: Options): Promise<void> {
  const directory = await temporaryDirectory(options.directory);
  const facts = machineFacts(options.directory);
  printTable(Object.entries(facts).map(([name, value]) => [name, String(value)]));
  const { targets, explain, startSeconds } = await openTargets(options, directory);
  const begin = { time: performance.now(), all: machineCpuSeconds(), own: cpuSeconds([process.pid, ...options.pids]) };
  const bench: Bench = {
    size: options.size,
    rounds: options.rounds,
    targets,
    directory,
    cores: Number(facts['cores']),
    profiles: options.profiles,
    work: options.work,
    progress: (text) => progress(text, options.size === 'full'),
  };
  const results: Record<string, SectionResult> = {};
  for (const section of sections.filter(({ name }) => options.sections.includes(name))) {
    const result = await section.run(bench).catch(async (error: unknown) => {
      throw await explain(error);
    });
    progress('');
    printSection(result, options.size === 'full');
    results[section.name] = result;
  }
  const seconds = (performance.now() - begin.time) / 1000;
  const others = machineCpuSeconds() - begin.all - (cpuSeconds([process.pid, ...options.pids]) - begin.own);
  const otherLoad = Math.max(0, others / seconds / bench.cores);
  console.log(
    `\n  ${seconds.toFixed(0)} s. Other processes used ${(otherLoad * 100).toFixed(0)} % of the processors meanwhile.`,
  );
  if (options.size === 'smoke') console.log('  This size shows that everything works. Judge by the full size.');
  if (options.json !== undefined) await writeJson(options.json, { facts, options, startSeconds, results, otherLoad });
}

/** The services to measure; `explain` makes an error say more. */
async function openTargets(options: Options, directory: string) {
  const { against } = options;
  const pair = against === DEBIAN ? await startPair(directory, options) : undefined;
  const ours = pair?.ours ?? (options.own ? await startOurs(directory, options.profiles) : undefined);
  const targets: Target[] = ours ? [ours.target] : [];
  for (const [part, seconds] of Object.entries(ours?.startSeconds ?? {})) {
    console.log(`  ${part}: first answer ${seconds.toFixed(2)} s after its start`);
  }
  if (pair) targets.push(pair.other);
  else if (against !== undefined) targets.push(await attach(against, options.token, options.pids));
  const asItIs = (error: unknown) => Promise.resolve(error);
  return { targets, explain: ours?.explain ?? asItIs, startSeconds: ours?.startSeconds };
}

async function writeJson(
  file: string,
  run: {
    facts: object;
    options: Options;
    startSeconds: OurService['startSeconds'] | undefined;
    results: Record<string, SectionResult>;
    otherLoad: number;
  },
): Promise<void> {
  const { against, size, rounds } = run.options;
  const content = {
    machine: run.facts,
    size,
    rounds,
    ...(against !== undefined && { against }),
    startSeconds: run.startSeconds,
    otherLoad: run.otherLoad,
    sections: Object.fromEntries(
      Object.entries(run.results).map(([name, { title, figures, verdicts, notes }]) => [
        name,
        {
          title,
          figures: figures.rows,
          verdicts: verdicts.map((verdict) => ({ ...verdict, ...spread(verdict.values) })),
          notes,
        },
      ]),
    ),
  };
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
}

/** Says what is going on: on one line where somebody watches, else only in what takes long. */
function progress(text: string, long = false): void {
  doing = text;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  else if (long && text !== '') console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}
