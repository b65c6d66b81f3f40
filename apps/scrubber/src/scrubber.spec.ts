import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  IMAGES,
  type Images,
  SCRUBBING,
  type Scrubbing,
  ServiceError,
  silentLogger,
  type Tasks,
  TASKS,
  unauthenticatedCaller,
} from '@glance/domain';
import { manage, startRegistry, type Registry, type RegistrySettings } from '@glance/registry';
import { inProcess, remote } from '@glance/rpc';
import { ImageCache, Store, Stores } from '@glance/store';
import { chunked, content, MemoryDriver } from '@glance/store/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Applier } from './applier.js';
import { startScrubber } from './index.js';
import { type Inspector, inspectorOf } from './inspector.js';
import { newHeader, type PlanHeader, type PlanItem } from './plan-item.js';
import { Planner } from './planner.js';
import type { Eraser } from './finish-work.js';
import { Scrubber } from './scrubber.js';

const caller = unauthenticatedCaller('req-test');
const never = new AbortController().signal;
const term = 3;

describe('the scrubber', { timeout: 30_000 }, () => {
  let directory: string;
  let registry: Registry;
  let images: Images;
  let tasks: Tasks;
  let scrubbing: Scrubbing;
  let driver: MemoryDriver;
  let stores: Stores;

  const start = async (changes: Partial<RegistrySettings> = {}): Promise<void> => {
    const database = {
      connection: `sqlite:///${join(directory, 'glance.sqlite')}`,
      maxPoolSize: 5,
      maxOverflow: 5,
      connectionRecycleTime: 3600,
      maxRetries: 0,
      retryInterval: 0,
      mysqlSqlMode: '',
    };
    const connection = await manage.connect(database);
    await manage.syncDatabase(connection);
    await connection.close();
    const settings = {
      imagePropertyQuota: 128,
      imageTagQuota: 128,
      imageLocationQuota: 10,
      imageMemberQuota: 128,
      imageSizeCap: 1024 ** 3,
      delayedDelete: false,
      scrubTime: 0,
      metadataEncryptionKey: undefined,
      checkDefinedProperties: false,
      uploadLeaseTime: term,
      taskTimeToLive: 48,
      taskLeaseTime: term,
      tasksPerProject: 0,
      ...changes,
    };
    const broker = inProcess();
    registry = await startRegistry({ database, registry: settings }, broker);
    images = remote(IMAGES, broker);
    tasks = remote(TASKS, broker);
    scrubbing = remote(SCRUBBING, broker);
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'glance-scrubber-'));
    driver = new MemoryDriver();
    stores = new Stores([{ id: 'memory', schemes: ['memory'], store: new Store(driver) }], { defaultId: 'memory' });
  });
  afterEach(async () => {
    await registry.close();
    rmSync(directory, { recursive: true });
  });

  const scrubber = ({
    eraser = stores,
    scope = 'all',
  }: { eraser?: Eraser; scope?: 'abandoned' | 'all' } = {}): Scrubber =>
    new Scrubber({
      images,
      tasks,
      registry: scrubbing,
      stores: {
        erase: (...what) => eraser.erase(...what),
        discard: (...what) => eraser.discard(...what),
        reclaim: (...what) => stores.reclaim(...what),
      },
      logger: silentLogger,
      poolSize: 4,
      scope,
    });

  const store = (id: string): Promise<{ url: string; size: number }> =>
    stores.write({ id, data: chunked(content(100)), maxSize: 1024, signal: never });

  async function activeImage(): Promise<string> {
    const { id } = await images.create(caller, { diskFormat: 'raw', containerFormat: 'bare' });
    const { lease } = await images.beginUpload(caller, id, { store: 'memory', size: null });
    const { url, size } = await store(id);
    await images.finishUpload(lease.token, {
      size,
      virtualSize: size,
      checksum: '0'.repeat(32),
      osHashAlgo: 'sha512',
      osHashValue: '0'.repeat(128),
      location: { url, metadata: {} },
    });
    return id;
  }

  async function planned(inspector: Inspector, { made }: PlanHeader): Promise<PlanItem[]> {
    const parts = { registry: scrubbing, inspector, logger: silentLogger, host: null };
    return Array.fromAsync(new Planner({ ...parts, idleSince: Date.parse(made) - 1000 }).items(never));
  }

  async function* each(items: readonly PlanItem[]): AsyncIterable<PlanItem> {
    yield* items;
  }

  /** Leases of processes that died have run out after this. */
  const leasesRunOut = (): Promise<void> => sleep(term * 1000 + 50);

  it('undoes uploads whose process died, whether the store has the bytes or not', async () => {
    await start();
    const ids = await Promise.all(
      [1, 2].map(async () => (await images.create(caller, { diskFormat: 'raw', containerFormat: 'bare' })).id),
    );
    for (const id of ids) await images.beginUpload(caller, id, { store: 'memory', size: null });
    await store(ids[0]!);
    expect(await scrubber().run(never)).toMatchObject({ deleted: 0, undone: 0, inUse: 0, failed: 0 });
    await leasesRunOut();
    expect(await scrubber().run(never)).toMatchObject({ deleted: 0, undone: 2, inUse: 0, failed: 0 });
    expect(driver.list()).toEqual([]);
    for (const id of ids) {
      expect((await images.show(caller, id)).status).toBe('queued');
      await images.beginUpload(caller, id, { store: 'memory', size: null });
    }
  });

  it('finishes deletions whose process died', async () => {
    await start();
    const id = await activeImage();
    await images.beginDelete(caller, id);
    await leasesRunOut();
    expect(await scrubber({ scope: 'abandoned' }).run(never)).toMatchObject({ deleted: 1 });
    expect(driver.list()).toEqual([]);
    await expect(images.show(caller, id)).rejects.toMatchObject({ code: 'NotFound' });
    expect(await scrubber().run(never)).toMatchObject({ deleted: 0 });
  });

  it('brings back an image whose deletion died and whose data turns out to be in use', async () => {
    await start();
    const id = await activeImage();
    await images.beginDelete(caller, id);
    await leasesRunOut();
    const used: Eraser = {
      discard: (name, image, signal) => stores.discard(name, image, signal),
      erase: () => Promise.reject(new ServiceError('DataInUse', 'A clone needs it.')),
    };
    expect(await scrubber({ eraser: used }).run(never)).toMatchObject({ inUse: 1, deleted: 0 });
    expect(await images.show(caller, id)).toMatchObject({ id, status: 'active', locations: [{ url: `memory:${id}` }] });
  });

  it('leaves delayed deletions to whoever is asked for all work', async () => {
    await start({ delayedDelete: true });
    const ids = await Promise.all(Array.from({ length: 10 }, activeImage));
    for (const id of ids) expect((await images.beginDelete(caller, id)).lease).toBeUndefined();
    expect(await scrubber({ scope: 'abandoned' }).run(never)).toMatchObject({ deleted: 0 });
    expect(driver.list()).toHaveLength(10);
    expect(await scrubber().run(never)).toMatchObject({ deleted: 10, failed: 0 });
    expect(driver.list()).toEqual([]);
  });

  it('waits until the delay is over', async () => {
    await start({ delayedDelete: true, scrubTime: 3600 });
    await images.beginDelete(caller, await activeImage());
    expect(await scrubber().run(never)).toMatchObject({ deleted: 0 });
    expect(driver.list()).toHaveLength(1);
  });

  it('shares the work with others, each piece done once', async () => {
    await start({ delayedDelete: true });
    const ids = await Promise.all(Array.from({ length: 40 }, activeImage));
    for (const id of ids) await images.beginDelete(caller, id);
    const erased: string[] = [];
    const counting: Eraser = {
      discard: (name, image, signal) => stores.discard(name, image, signal),
      erase: async (locations, signal) => {
        erased.push(...locations.map(({ url }) => url));
        await stores.erase(locations, signal);
      },
    };
    const reports = await Promise.all([1, 2, 3].map(() => scrubber({ eraser: counting }).run(never)));
    expect(reports.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(40);
    expect(new Set(erased).size).toBe(40);
    expect(erased).toHaveLength(40);
  });

  it('counts what fails, goes on with the rest, and tries again later', async () => {
    await start({ delayedDelete: true });
    const [bad] = await Promise.all([activeImage(), activeImage(), activeImage()]);
    const all = await images.list(caller, { filters: [], sort: [], limit: 10 });
    for (const { id } of all.images) await images.beginDelete(caller, id);
    let broken = true;
    const flaky: Eraser = {
      discard: (name, image, signal) => stores.discard(name, image, signal),
      erase: (locations, signal) =>
        broken && locations[0]!.url.includes(bad)
          ? Promise.reject(new ServiceError('StoreUnavailable', 'No route.'))
          : stores.erase(locations, signal),
    };
    expect(await scrubber({ eraser: flaky }).run(never)).toMatchObject({ deleted: 2, failed: 1 });
    expect(driver.list()).toEqual([bad]);
    broken = false;
    await leasesRunOut();
    expect(await scrubber({ eraser: flaky }).run(never)).toMatchObject({ deleted: 1, failed: 0 });
  });

  it('removes what no image refers to only if it is told to, and records what it did', async () => {
    await start();
    const [orphan, owned] = [randomUUID(), await activeImage()];
    await store(orphan);
    await leasesRunOut();
    await scrubber().run(never);
    expect(driver.list()).toEqual([orphan, owned].sort());
    const inspector = inspectorOf(stores, undefined);
    const common = { images, tasks, registry: scrubbing, stores, logger: silentLogger, poolSize: 4 };
    const applier = new Applier({ ...common, inspector, defaultStore: 'memory' });
    const told = new Scrubber({ ...common, scope: 'all', orphans: { applier, inspector, grace: 1 } });
    expect(await told.run(never)).toEqual({ deleted: 1, undone: 0, inUse: 0, failed: 0, bytes: 100 });
    expect(driver.list()).toEqual([owned]);
    const { runs } = await scrubbing.runs(caller, { limit: 10 });
    expect(runs).toMatchObject([{ kind: 'run', outcomes: { deleted: 1 }, bytes: 100, errors: [] }]);
  });

  it('applies a plan up to its limits, and leaves what has changed since', async () => {
    await start();
    const orphans = Array.from({ length: 6 }, () => randomUUID());
    for (const id of orphans) await store(id);
    await leasesRunOut();
    const inspector = inspectorOf(stores, undefined);
    const common = { images, tasks, registry: scrubbing, stores, logger: silentLogger, poolSize: 2 };
    const applier = new Applier({ ...common, inspector, defaultStore: 'memory' });
    const header = newHeader(1);
    const items = await planned(inspector, header);
    expect(items.map(({ image }) => image).sort()).toEqual(orphans.toSorted());
    // One is gone, and another has come anew.
    await driver.discard(items[0]!.image);
    await driver.discard(items[1]!.image);
    await store(items[1]!.image);
    const apply = (limits: object) => applier.apply(header, each(items), limits, never);
    const first = await apply({ bytes: 350 });
    expect(first).toMatchObject({ limited: true, log: { report: { outcomes: { gone: 1, changed: 1, deleted: 1 } } } });
    const second = await apply({ items: 4 });
    expect(second).toMatchObject({ limited: true, log: { report: { outcomes: { gone: 2, changed: 1, deleted: 1 } } } });
    expect((await apply({ seconds: 0 })).log.report.outcomes).toEqual({});
    const last = await apply({});
    expect(last).toMatchObject({ limited: false, log: { report: { outcomes: { gone: 3, changed: 1, deleted: 2 } } } });
    expect(driver.list()).toEqual([items[1]!.image]);
  });

  it('finds what an image cache has of dead images, and removes exactly what a plan says, and only then', async () => {
    await start({ delayedDelete: true, scrubTime: 3600 });
    const path = join(directory, 'cache');
    const plant = (name: string, seconds = 3600): string => {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, 'copy');
      const time = new Date(Date.now() - seconds * 1000);
      utimesSync(file, time, time);
      return name;
    };
    const digests = `.${'a'.repeat(32)}.${'0'.repeat(32)}`;
    const inAllPlaces = (id: string): string[] =>
      [`${id}${digests}`, `incomplete/${id}${digests}.9`].map((name) => plant(name));
    const listing = (): string[] =>
      readdirSync(path, { recursive: true, encoding: 'utf8' })
        .map((name) => `${name} ${statSync(join(path, name)).isFile() ? statSync(join(path, name)).mtimeMs : ''}`)
        .sort();

    const [live, deleted] = [await activeImage(), await activeImage()];
    await images.beginDelete(caller, deleted);
    const [unknown, whole, changed, reborn, young, filled] = Array.from({ length: 6 }, () => randomUUID());
    const dead = [...inAllPlaces(deleted), ...inAllPlaces(unknown!), plant(`invalid/${unknown}`), plant(unknown!)];
    dead.push(plant(`${whole}${digests}`), plant(`hits/${whole}${digests}`));
    for (const id of [live, changed!, reborn!]) inAllPlaces(id);
    // One that somebody fills lives longer than the grace time.
    plant(`incomplete/${filled}${digests}.9`, 3);
    plant(`${young}${digests}`, 0);
    for (const name of [
      'cache.db',
      `${unknown}.qcow2`,
      `incomplete/${unknown}.part`,
      `${unknown}${digests}.9`,
      'notes',
    ])
      plant(name);
    plant(`${randomUUID()}/file`);

    const cache = new ImageCache({ directory: path, maxSize: 0, stallTime: 0, logger: silentLogger }).directory;
    const inspector = inspectorOf(stores, undefined, cache);
    const before = listing();
    const header = newHeader(1);
    const items = await planned(inspector, header);
    expect(listing()).toEqual(before);
    expect(items.map(({ kind, image, bytes, objects }) => [kind, image, bytes, objects]).sort()).toEqual(
      [
        ['cached', deleted, 8, 2],
        ['cached', unknown, 16, 4],
        ['cached', whole, 4, 1],
        ['cached', changed, 8, 2],
        ['cached', reborn, 8, 2],
      ].sort(),
    );

    const common = { images, tasks, registry: scrubbing, stores, logger: silentLogger, poolSize: 2 };
    const applier = new Applier({ ...common, inspector, defaultStore: 'memory' });
    const elsewhere = await applier.apply(header, each(items), {}, never);
    expect(elsewhere.log.report.outcomes).toEqual({ kept: 5 });
    const discard = { cache: (id: string) => cache.remove(id) };
    const here = new Applier({ ...common, inspector, discard, defaultStore: 'memory' });
    await new Scrubber({ ...common, scope: 'all', orphans: { applier: here, inspector, grace: 1 } }).run(never);
    expect(listing()).toEqual(before);
    await images.create(caller, { id: reborn!, diskFormat: 'raw', containerFormat: 'bare' });
    appendFileSync(join(path, `${changed}${digests}`), ' and more');
    const expected = listing().filter((line) => !dead.some((name) => line.startsWith(`${name} `)));
    const { outcomes, bytes } = (await here.apply(header, each(items), {}, never)).log.report;
    expect({ outcomes, bytes }).toEqual({ outcomes: { deleted: 3, changed: 2 }, bytes: 28 });
    expect(listing()).toEqual(expected);
    expect(await here.apply(header, each(items), {}, never)).toMatchObject({
      log: { report: { outcomes: { gone: 3, changed: 2 }, bytes: 0 } },
    });
  });

  it('leaves out of a plan a cache that cannot be read', async () => {
    await start();
    const path = join(directory, 'cache');
    writeFileSync(path, '');
    const cache = new ImageCache({ directory: path, maxSize: 0, stallTime: 0, logger: silentLogger }).directory;
    expect(await planned(inspectorOf(stores, undefined, cache), newHeader(1))).toEqual([]);
  });

  it('runs again and again until it is closed, also after the registry did not answer', async () => {
    await start({ delayedDelete: true });
    const id = await activeImage();
    let asked = 0;
    const erased = Promise.withResolvers<void>();
    const unsteady: Images = {
      ...images,
      claimDue: async (...args) => {
        if (++asked === 1) throw new ServiceError('Unavailable', 'No registry.');
        return images.claimDue(...args);
      },
    };
    const telling: Scrubbing = {
      ...scrubbing,
      finishDeletions: async (works) => {
        const lost = await scrubbing.finishDeletions(works);
        erased.resolve();
        return lost;
      },
    };
    const logger = silentLogger;
    const parts = { images: unsteady, tasks, registry: telling, stores, logger, poolSize: 1, scope: 'all' } as const;
    const running = await startScrubber(10, parts);
    await images.beginDelete(caller, id);
    await erased.promise;
    await running.close();
    const after = asked;
    await sleep(50);
    expect(asked).toBe(after);
    expect(driver.list()).toEqual([]);
  });
});
