import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, type Pool } from '@glance/node-rados';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../tools/services/ceph.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { command, target } from './service.js';
import { type CommandResult, run } from './command.js';
import { json, send } from './http.js';
import { filesAndCeph } from './files-and-ceph.js';
import { imageClient } from './image-client.js';
import { install, type Installation } from './installation.js';

const each = 200;
/** Seconds. */
const grace = 5;
const old = new Date(Date.now() - 86_400_000);
const ids = (count = each): string[] => Array.from({ length: count }, () => randomUUID());

/** Nothing worse than news is in the log. */
const quiet = expect.not.stringMatching(/WARN|ERROR/) as string;

interface Item {
  readonly kind: string;
  readonly image: string;
  readonly store: string | null;
  readonly bytes: number | null;
}

// Glance has no such thing.
describe.runIf(target === 'ours')('a plan of the scrubber', { timeout: 600_000 }, () => {
  const directory = scratchDirectory('disk');
  const at = (...names: string[]): string => join(directory.path, ...names);
  const files = at('images');
  const staging = at('staging');
  const cache = at('cache');
  let ceph: Ceph;
  let cluster: Cluster;
  let pool: Pool;
  let service: Installation;
  let database: string;

  beforeAll(async () => {
    for (const name of [files, staging, cache, join(cache, 'incomplete')]) mkdirSync(name);
    ceph = await startCeph();
    cluster = await Cluster.connect({ conf: ceph.conf });
    pool = await cluster.pool(ceph.pool);
    const configuration = at('stores.conf');
    const settings = { scrub_grace_time: grace, scrub_pool_size: 4, recovery_interval: 3600 };
    const stagingStore = `[os_glance_staging_store]\nfilesystem_store_datadir = ${staging}\n`;
    writeFileSync(configuration, filesAndCeph(files, ceph, settings) + stagingStore);
    service = await install({ more: configuration });
    database = new URL(service.databaseUrl.replace(/^mysql\+pymysql/, 'http')).pathname.slice(1);
    const [api, registry] = await Promise.all([service.part('glance-api'), service.part('glance-registry')]);
    await Promise.all([api.start(), registry.start()]);
  });
  afterAll(async () => {
    await service.close();
    await cluster.close();
    await ceph.close();
    directory.remove();
  });

  const scrubber = (...args: string[]): Promise<CommandResult> =>
    run(command('glance-scrubber'), ['--config-file', service.configFile, ...args], {
      failure: 'answer',
      // An api would let go of dead images itself.
      env: { ...process.env, OS_DEFAULT__IMAGE_CACHE_DIR: cache },
    });
  const sql = (text: string): Promise<string> => service.mariadb.execute(`USE ${database}; ${text}`);
  const rows = (values: readonly string[]): string => values.map((value) => `(${value})`).join(',\n');

  const plantFile = (directoryOf: string, name: string, bytes = 100): void => {
    writeFileSync(join(directoryOf, name), Buffer.alloc(bytes));
    utimesSync(join(directoryOf, name), old, old);
  };
  const cachedName = (id: string): string => `${id}.${'a'.repeat(32)}.${'0'.repeat(32)}`;
  const plantPart = (id: string): void => {
    const part = join(files, `.${id}.part`);
    mkdirSync(part);
    plantFile(part, randomUUID(), 50);
    utimesSync(part, old, old);
  };
  async function plantRbd(names: readonly string[], whole: boolean): Promise<void> {
    for (const name of names) {
      await pool.create(name, { size: 4096, features: 1 });
      if (!whole) continue;
      await using image = await pool.open({ name });
      await image.createSnapshot('snap');
      await image.protectSnapshot('snap');
    }
  }
  /** Images of a status, with a location each if `where` says so. */
  async function plantImages(found: readonly string[], status: string, where?: (id: string) => string): Promise<void> {
    const deleted = status === 'pending_delete';
    const time = "'2026-01-01 00:00:00'";
    const gone = deleted ? `1, ${time}` : '0, NULL';
    const columns =
      'id, name, size, status, visibility, min_disk, min_ram, protected, os_hidden, created_at, updated_at';
    const image = (id: string): string =>
      `'${id}', 'planted', 100, '${status}', 'private', 0, 0, 0, 0, ${time}, ${time}, ${gone}`;
    await sql(`INSERT INTO images (${columns}, deleted, deleted_at) VALUES ${rows(found.map(image))}`);
    if (!where) return;
    const state = deleted ? 'pending_delete' : 'active';
    const location = (id: string): string =>
      `'${id}', '${where(id)}', '{"store": "files"}', '${state}', ${time}, ${time}, ${gone}`;
    await sql(
      `INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted, deleted_at) VALUES ${rows(found.map(location))}`,
    );
  }
  const listing = (root: string): string[] =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .map((name) => {
        const { mtimeMs, size } = statSync(join(root, name));
        return `${name} ${size} ${mtimeMs}`;
      })
      .sort();
  /** All that there is. */
  async function everything(): Promise<unknown> {
    const dump = await run('mariadb-dump', [
      '--no-defaults',
      '--skip-dump-date',
      '--skip-comments',
      ...login(),
      '--order-by-primary',
      database,
    ]);
    const images = await Promise.all(
      (await pool.images()).sort().map(async (name) => {
        await using image = await pool.open({ name, readOnly: true });
        return [name, (await image.snapshots()).map((snapshot) => snapshot.name)];
      }),
    );
    const trash = (await pool.trash()).map(({ name }) => name).sort();
    return {
      dump: dump.stdout,
      files: listing(files),
      staging: listing(staging),
      cache: listing(cache),
      images,
      trash,
    };
  }
  const login = (): string[] => {
    const { username, password, hostname, port } = new URL(service.databaseUrl.replace(/^mysql\+pymysql/, 'http'));
    return ['-h', hostname, '-P', port, `-u${username}`, `-p${password}`];
  };
  const named = (items: readonly Item[], kind: string, store?: string): string[] =>
    items
      .filter((item) => item.kind === kind && (store === undefined || item.store === store))
      .map(({ image }) => image)
      .sort();

  it('has all that is ours and nobody needs, nothing of others, and is done as it says and no further', async () => {
    const images = imageClient(service.parts[0]!.url);
    const kept: string[] = [];
    for (const store of ['files', 'ceph']) {
      const id = await images.create();
      await images.upload(id, Buffer.from('in use'), { 'x-image-meta-store': store });
      kept.push(id);
    }
    // What deletions had to keep for clones, of which one is still there; and what others have in the trash.
    const forClones: string[] = [];
    for (let n = 0; n < 3; n++) {
      const id = await images.create();
      await images.upload(id, Buffer.from('cloned'), { 'x-image-meta-store': 'ceph' });
      await pool.clone(`${id}-clone`, { pool, name: id, snapshot: 'snap' }, { format: 2 });
      await images.remove(id);
      forClones.push(id);
    }
    expect((await scrubber()).stdout).toContain('3 deleted');
    const [cloned, ...trash] = forClones;
    for (const id of trash) await pool.remove(`${id}-clone`);
    await pool.create('of somebody else', { size: 4096, features: 1 });
    await pool.moveToTrash('of somebody else');
    const mess = {
      whole: ids(),
      parts: ids(),
      halfRbd: ids(),
      wholeRbd: ids(),
      staged: ids(),
      stuck: ids(),
      expired: ids(),
      due: ids(),
      missing: ids(),
      cached: ids(),
    };
    const url = (id: string): string => `file://${files}/${id}`;
    for (const id of mess.whole) plantFile(files, id);
    mess.parts.forEach(plantPart);
    for (const id of mess.staged) plantFile(staging, id);
    for (const id of mess.due) plantFile(files, id);
    await plantImages(mess.stuck.slice(0, 100), 'saving');
    await plantImages(mess.stuck.slice(100), 'importing');
    await plantImages(mess.expired, 'saving');
    for (const id of mess.expired.slice(0, 100)) plantPart(id);
    await sql(
      `INSERT INTO image_leases (token, image_id, kind, store, expires_at, created_at) VALUES ${rows(
        mess.expired.map((id) => `UUID(), '${id}', 'upload', 'files', 1, '2026-01-01 00:00:00'`),
      )}`,
    );
    await plantImages(mess.due, 'pending_delete', url);
    await plantImages(mess.missing, 'active', url);
    await plantRbd(mess.halfRbd, false);
    await plantRbd(mess.wholeRbd, true);
    for (const id of mess.cached.slice(0, 100)) plantFile(cache, cachedName(id));
    for (const id of mess.cached.slice(100)) plantFile(join(cache, 'incomplete'), `${cachedName(id)}.100`);
    for (const id of [...kept, ...mess.missing]) plantFile(cache, cachedName(id));
    // What others have in the same places.
    const foreign = ids();
    const names = [
      (id: string) => `${id}.qcow2`,
      (id: string) => `volume-${id}`,
      (id: string) => `.${id}.swp`,
      (id: string) => `${id}_disk`,
    ];
    const foreignNames = foreign.map((id, index) => names[index % names.length]!(id));
    for (const name of foreignNames) for (const place of [files, staging, cache]) plantFile(place, name);
    for (const id of ids(10)) mkdirSync(join(files, id));
    await plantRbd(foreignNames, false);
    const [others] = ids(1);
    await plantRbd([others!], false);
    {
      await using image = await pool.open({ name: others! });
      await image.createSnapshot('of somebody');
    }
    // What is being written now.
    const young = ids(5);
    for (const id of young) writeFileSync(join(files, id), 'arriving');
    const soon = new Date(Date.now() + 3_600_000);
    for (const id of young) utimesSync(join(files, id), soon, soon);
    await delay((grace + 1) * 1000);

    const before = await everything();
    const table = await scrubber('plan');
    expect(table).toMatchObject({ code: 0, stderr: quiet });
    expect(table.stdout).toContain(`orphan: ${4 * each}, `);
    const plan = await scrubber('plan', '--json');
    expect(await everything()).toEqual(before);
    const [, ...lines] = plan.stdout.trim().split('\n');
    const items = lines.map((line) => JSON.parse(line) as Item);
    expect(named(items, 'orphan', 'files')).toEqual([...mess.whole, ...mess.parts].sort());
    expect(named(items, 'orphan', 'ceph')).toEqual([...mess.halfRbd, ...mess.wholeRbd].sort());
    expect(named(items, 'leftover')).toEqual(mess.staged.toSorted());
    expect(named(items, 'cached', 'cache')).toEqual(mess.cached.toSorted());
    expect(named(items, 'stuck')).toEqual(mess.stuck.toSorted());
    expect(named(items, 'interrupted')).toEqual(mess.expired.toSorted());
    expect(named(items, 'deletion')).toEqual(mess.due.toSorted());
    expect(named(items, 'missing')).toEqual(mess.missing.toSorted());
    expect(named(items, 'trash', 'ceph')).toEqual(trash.toSorted());
    expect(items).toHaveLength(10 * each + trash.length);
    expect(items.filter(({ kind, store }) => kind === 'orphan' && store === 'files')[0]!.bytes).toBeGreaterThan(0);

    const file = at('plan');
    writeFileSync(file, plan.stdout);
    // What comes after the plan is not in it; what is in it and has changed is not what it says.
    const later = ids(5);
    for (const id of later) plantFile(files, id);
    const [changed] = mess.whole;
    appendFileSync(join(files, changed!), 'more');
    utimesSync(join(files, changed!), old, old);
    const first = await scrubber('apply', '--plan', file, '--max-items', '50');
    expect(first).toMatchObject({ code: 0, stderr: quiet });
    expect(first.stdout).toContain('50 deleted');
    expect(first.stdout).toContain('a limit is reached');
    const rest = await scrubber('apply', '--plan', file);
    expect(rest).toMatchObject({ code: 0, stderr: quiet });
    expect(rest.stdout).toContain(`${each} kept`);
    expect(rest.stdout).toContain('1 changed');

    const namesIn = (root: string): string[] =>
      readdirSync(root)
        .filter((name) => !name.startsWith('.scratch'))
        .sort();
    expect(namesIn(staging)).toEqual(foreignNames.toSorted());
    const stillCached = [...kept, ...mess.missing].map(cachedName);
    expect(namesIn(cache)).toEqual([...foreignNames, ...stillCached, 'incomplete'].sort());
    expect(namesIn(join(cache, 'incomplete'))).toEqual([]);
    const directories = namesIn(files).filter((name) => statSync(join(files, name)).isDirectory());
    expect(directories).toHaveLength(10);
    const expected = [...foreignNames, ...young, ...later, changed!, kept[0]!, ...directories];
    expect(namesIn(files)).toEqual(expected.sort());
    expect((await pool.images()).sort()).toEqual([...foreignNames, others!, kept[1]!, `${cloned}-clone`].sort());
    expect((await pool.trash()).map(({ name }) => name).sort()).toEqual([cloned!, 'of somebody else'].sort());
    const [queued] = (await sql("SELECT COUNT(*) FROM images WHERE status = 'queued' AND deleted = 0"))
      .trim()
      .split('\n')
      .slice(-1);
    expect(Number(queued)).toBe(2 * each);
    for (const id of kept) expect((await images.download(id)).body.toString()).toBe('in use');
    expect(readFileSync(join(files, changed!))).toHaveLength(104);

    const runs = json(await send('GET', `${service.parts[0]!.url}/v2/scrubber/runs`)) as {
      runs: { kind: string; outcomes: Record<string, number>; finished_at: string | null }[];
    };
    expect(runs.runs.filter(({ kind }) => kind === 'apply')).toMatchObject([
      { finished_at: expect.any(String) as string, outcomes: { kept: each, changed: 1 } },
      { outcomes: { deleted: 50 } },
    ]);
  });

  it('is refused if it is none', async () => {
    const file = at('none');
    writeFileSync(file, '{"images": []}\n');
    expect(await scrubber('apply', '--plan', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not a plan') as string,
    });
    expect(await scrubber('apply')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--plan FILE') as string,
    });
    expect(await scrubber('apply', '--plan', at('nowhere'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ENOENT') as string,
    });
  });
});
