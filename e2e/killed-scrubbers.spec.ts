import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, type Pool } from '@glance/node-rados';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../tools/services/ceph.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { send } from './http.js';
import { filesAndCeph } from './files-and-ceph.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

const count = 300;
const stores = ['files', 'ceph'] as const;

/** Does `work` for each, a few at a time. */
async function forEach<T>(items: readonly T[], parallel: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

// Glance's own needs one that is never killed.
describe.runIf(target === 'ours')('scrubbers that are killed', { timeout: 900_000 }, () => {
  const directory = scratchDirectory('disk');
  const files = join(directory.path, 'images');
  let ceph: Ceph;
  let cluster: Cluster;
  let pool: Pool;
  let service: Installation;
  let url: string;
  let images: ImageClient;
  let database: string;

  beforeAll(async () => {
    mkdirSync(files);
    ceph = await startCeph();
    cluster = await Cluster.connect({ conf: ceph.conf });
    pool = await cluster.pool(ceph.pool);
    const configuration = join(directory.path, 'stores.conf');
    const often = { scrub_time: 1, wakeup_time: 1, upload_lease_time: 3 };
    const settings = { ...often, scrub_pool_size: 2, recovery_interval: 3600 };
    writeFileSync(configuration, filesAndCeph(files, ceph, settings));
    service = await install({ more: configuration });
    database = new URL(service.databaseUrl.replace(/^mysql\+pymysql/, 'http')).pathname.slice(1);
    const [api, registry] = await Promise.all([service.part('glance-api'), service.part('glance-registry')]);
    await Promise.all([api.start(), registry.start()]);
    url = api.url;
    images = imageClient(url);
  });
  afterAll(async () => {
    await service.close();
    await cluster.close();
    await ceph.close();
    directory.remove();
  });

  const sql = async (text: string): Promise<string[]> =>
    (await service.mariadb.execute(`USE ${database}; ${text}`)).trim().split('\n').filter(Boolean);
  const restore = (id: string): Promise<number> =>
    send('POST', `${url}/v2/deleted_images/${id}/restore`).then(({ status }) => status);

  /** Kills it at random moments, and starts it again; in the end it runs. */
  async function torment(scrubber: Part): Promise<void> {
    for (let kills = 0; kills < 10; kills++) {
      await scrubber.start('live');
      await delay(Math.random() * 3000);
      await scrubber.kill();
    }
    await scrubber.start();
  }

  it('leave exactly the right rows and objects: each image is whole or gone', async () => {
    const uploaded = new Map<string, string>();
    const all = stores.flatMap((store) => Array.from({ length: count }, () => store));
    await forEach(all, 16, async (store) => {
      const id = await images.create({ tags: ['one'], owned: 'yes' });
      const { status } = await images.upload(id, Buffer.from(id), { 'x-image-meta-store': store });
      expect(status).toBe(204);
      uploaded.set(id, store);
    });
    const scrubbers = await Promise.all([1, 2, 3].map(() => service.part('glance-scrubber')));
    const tormented = Promise.all(scrubbers.map(torment));

    const alive = new Set<string>();
    const refused: number[] = [];
    await forEach([...uploaded.keys()], 8, async (id) => {
      const fate = Math.random();
      if (fate < 0.25) {
        alive.add(id);
        return;
      }
      expect((await images.remove(id)).status).toBe(204);
      if (fate < 0.4) return;
      await delay(Math.random() * 3000);
      const status = await restore(id);
      if (status === 204) alive.add(id);
      else refused.push(status);
    });
    await tormented;
    const waiting = "SELECT id FROM images WHERE status = 'pending_delete'";
    // A client of Ceph that was killed is remembered for 30 seconds, in which nobody can remove what it had open.
    await until('nothing waits', async () => (await sql(waiting)).length === 0, 300);
    expect(refused.every((status) => status === 404 || status === 409)).toBe(true);
    expect(refused.length).toBeGreaterThan(0);

    const active = await sql("SELECT id FROM images WHERE deleted = 0 AND status = 'active'");
    expect(active.toSorted()).toEqual([...alive].sort());
    expect((await sql('SELECT COUNT(*) FROM images WHERE deleted = 0'))[0]).toBe(String(alive.size));
    const gone = "SELECT COUNT(*) FROM images WHERE deleted = 1 AND status = 'deleted' AND deleted_at IS NOT NULL";
    expect((await sql(gone))[0]).toBe(String(2 * count - alive.size));
    for (const table of ['image_locations', 'image_tags', 'image_properties']) {
      const rows = await sql(`SELECT DISTINCT image_id FROM ${table} WHERE deleted = 0`);
      expect(rows.sort()).toEqual([...alive].sort());
    }
    const of = (store: string): string[] => [...alive].filter((id) => uploaded.get(id) === store).sort();
    expect(readdirSync(files).sort()).toEqual(of('files'));
    expect((await pool.images()).sort()).toEqual(of('ceph'));
    await forEach([...alive], 8, async (id) => {
      const { body } = await images.download(id);
      expect(body.toString(), service.parts[0]!.process.log().slice(-3000)).toBe(id);
    });
    const runs = await sql('SELECT COUNT(*) FROM scrubber_runs WHERE finished_at IS NULL');
    expect(Number(runs[0])).toBeGreaterThan(0);
  });
});
