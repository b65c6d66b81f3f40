import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Mariadb, startMariadb } from '../../services/mariadb.js';
import { imageIdOf, imageIdSql } from '../catalogue.js';
import { lastWords, run, startServer } from '../children.js';
import { Figures } from '../figures.js';
import type { Bench, Section } from '../section.js';

const SIZES = { smoke: [200, 1_000], full: [1_000, 100_000] } as const;
/** Images that are erased at the same time. */
const POOL = 8;
const BYTES = 1024;
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Deleted images that wait to be erased, few and many: the plan, and what it says done, beside the bare file system. */
export const scrubbing: Section = {
  name: 'scrubbing',
  async run(bench) {
    const figures = new Figures();
    const [few, many] = SIZES[bench.size];
    for (const count of [few, many]) await measure(bench, figures, count);
    const of = (work: string, count: number, quantity: string): number =>
      figures.values(work, nameOf(count), quantity)[0]!;
    const rate = of('apply', many, 'perSecond');
    const bare = of('unlink and sync', many, 'perSecond');
    return {
      title: `scrubbing: deleted images of ${BYTES} bytes in files, ${POOL} at a time, in MariaDB`,
      columns: [
        { quantity: 'seconds', title: 's', digits: 2 },
        { quantity: 'perSecond', title: 'images/s', digits: 0 },
        { quantity: 'mib', title: 'MiB at most', digits: 0 },
      ],
      figures,
      verdicts: [
        {
          text: `memory of the plan, ${many.toLocaleString('en')} images ÷ ${few.toLocaleString('en')}`,
          values: [of('plan', many, 'mib') / of('plan', few, 'mib')],
          digits: 2,
          target: { atMost: 1.5 },
        },
        { text: 'speed, apply ÷ bare file system', values: [rate / bare], digits: 2 },
      ],
      notes: ['The bare file system: each file unlinked and its directory synchronized, as many at a time.'],
    };
  },
};

const nameOf = (count: number): string => count.toLocaleString('en');

async function measure(bench: Bench, figures: Figures, count: number): Promise<void> {
  const directory = join(bench.directory, `scrubbing-${count}`);
  const images = join(directory, 'images');
  await mkdir(images, { recursive: true });
  const mariadb = await startMariadb();
  try {
    const url = await mariadb.createDatabase();
    const config = join(directory, 'glance-api.conf');
    await writeFile(config, configuration(url, images));
    await run(join(root, 'bin/glance-manage'), ['--config-file', config, 'db', 'sync']);
    const rate = (work: string, { seconds, ...more }: { seconds: number; mib?: number }): void =>
      figures.add(work, nameOf(count), { seconds, perSecond: count / seconds, ...more });

    bench.progress(`scrubbing: writing ${count} files`);
    await makeFiles(images, count);
    bench.progress('scrubbing: unlink and sync');
    rate('unlink and sync', await timed(() => bareErasure(images, count)));
    await makeFiles(images, count);
    await loadPending(mariadb, url, images, count);
    const plan = join(directory, 'plan');
    const scrubber = (output: string, ...args: string[]) => command(output, ['--config-file', config, ...args]);
    bench.progress('scrubbing: plan');
    rate('plan', await scrubber(plan, 'plan', '--json'));
    const items = (await readFile(plan, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"kind":"deletion"')).length;
    if (items !== count) throw new Error(`The plan has ${items} items, not ${count}.`);
    bench.progress('scrubbing: apply');
    rate('apply', await scrubber(join(directory, 'applied'), 'apply', '--plan', plan));
    const left = await mariadb.execute(`SELECT COUNT(*) FROM ${databaseOf(url)}.images WHERE status <> 'deleted'`);
    if (left.trim() !== '0') throw new Error(`${left.trim()} images were not erased.`);
  } finally {
    await mariadb.close();
    await rm(directory, { recursive: true });
  }
}

const databaseOf = (url: string): string => url.split('/').at(-1)!;

const configuration = (url: string, images: string): string => `[DEFAULT]
delayed_delete = True
scrub_pool_size = ${POOL}
[database]
connection = ${url}?charset=utf8
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = ${images}
`;

async function loadPending(mariadb: Mariadb, url: string, images: string, count: number): Promise<void> {
  const time = "'2026-01-01 00:00:00'";
  const from = `FROM seq_1_to_${count}`;
  await mariadb.execute(
    [
      `USE ${databaseOf(url)}`,
      `INSERT INTO images (id, size, status, visibility, min_disk, min_ram, protected, os_hidden, created_at, deleted, deleted_at)
       SELECT ${imageIdSql}, ${BYTES}, 'pending_delete', 'private', 0, 0, 0, 0, ${time}, 1, ${time} ${from}`,
      `INSERT INTO image_locations (image_id, value, meta_data, status, created_at, deleted, deleted_at)
       SELECT ${imageIdSql}, CONCAT('file://${images}/', ${imageIdSql}), '{}', 'pending_delete', ${time}, 1, ${time} ${from}`,
      'ANALYZE TABLE images, image_locations',
    ].join(';\n'),
  );
}

const fileOf = (images: string, n: number): string => join(images, imageIdOf(n));

async function eachOf(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 1;
  const worker = async (): Promise<void> => {
    for (let n = next++; n <= count; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: POOL }, worker));
}

async function makeFiles(images: string, count: number): Promise<void> {
  const data = Buffer.alloc(BYTES, 1);
  await eachOf(count, (n) => writeFile(fileOf(images, n), data));
}

async function bareErasure(images: string, count: number): Promise<void> {
  await eachOf(count, async (n) => {
    await unlink(fileOf(images, n));
    await using directory = await open(images);
    await directory.sync();
  });
}

async function timed(work: () => Promise<void>): Promise<{ seconds: number }> {
  const begin = performance.now();
  await work();
  return { seconds: (performance.now() - begin) / 1000 };
}

/** Runs the scrubber, its output in a file; how long it took, and its memory at most. */
async function command(output: string, args: readonly string[]): Promise<{ seconds: number; mib: number }> {
  closeSync(openSync(output, 'w'));
  const begin = performance.now();
  const { child, ended } = startServer(join(root, 'bin/glance-scrubber'), args, { log: output });
  let mib = 0;
  let how: string | undefined;
  while (how === undefined) {
    mib = Math.max(mib, peakMib(child.pid!));
    how = await Promise.race([ended, delay(50, undefined)]);
  }
  if (child.exitCode !== 0) throw new Error(`${how} Its output ends:\n${lastWords(output)}`);
  return { seconds: (performance.now() - begin) / 1000, mib };
}

/** What a process had in memory at most; 0 once it is gone. */
function peakMib(pid: number): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}
