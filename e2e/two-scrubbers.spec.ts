import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../tools/services/mariadb.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { type DebianGlance, debianGlance } from './debian-glance.js';
import { imageClient } from './image-client.js';
import { command, target } from './service.js';

const each = 60;

describe.runIf(target === 'ours')("Glance's scrubber and ours on one database", { timeout: 600_000 }, () => {
  const directory = scratchDirectory('disk');
  const files = join(directory.path, 'images');
  const configFile = join(directory.path, 'glance-api.conf');
  let mariadb: Mariadb;
  let glance: DebianGlance;
  let database: string;

  beforeAll(async () => {
    mkdirSync(files);
    mariadb = await startMariadb();
    const databaseUrl = await mariadb.createDatabase();
    database = new URL(databaseUrl.replace(/^mysql\+pymysql/, 'http')).pathname.slice(1);
    glance = debianGlance(databaseUrl, files, { delayed_delete: 'true', scrub_time: 0, scrub_pool_size: 4 });
    await glance.manage('db', 'sync');
    writeFileSync(
      configFile,
      `[DEFAULT]
scrub_pool_size = 4
delayed_delete = True
[database]
connection = ${databaseUrl}
[glance_store]
stores = file,http
default_store = file
filesystem_store_datadir = ${files}
`,
    );
    await run(command('glance-manage'), ['--config-file', configFile, 'db', 'sync']);
  });
  afterAll(async () => {
    glance.remove();
    await mariadb.close();
    directory.remove();
  });

  const ours = (...args: string[]) => run(command('glance-scrubber'), ['--config-file', configFile, ...args]);
  const sql = async (text: string): Promise<string[]> =>
    (await mariadb.execute(`USE ${database}; ${text}`)).trim().split('\n').filter(Boolean);

  it('erase all that is due, and nothing else, whoever is first', async () => {
    const kept: string[] = [];
    const deleted: string[] = [];
    await glance.serving(async (url) => {
      const images = imageClient(url);
      for (let n = 0; n < 2 * each; n++) {
        const id = await images.create({ tags: ['one'] });
        expect((await images.upload(id, Buffer.from(id))).status).toBe(204);
        if (n % 2 === 0) kept.push(id);
        else {
          expect((await images.remove(id)).status).toBe(204);
          deleted.push(id);
        }
      }
      const [back] = deleted.splice(0, 1);
      expect((await ours('--restore', back!)).stdout).toContain('is active again');
      kept.push(back!);
      await Promise.all([glance.scrub(), ours(), ours(), glance.scrub()]);
      await Promise.all([glance.scrub(), ours()]);
      for (const id of kept) expect((await images.download(id)).body.toString()).toBe(id);
    });
    expect(readdirSync(files).sort()).toEqual(kept.toSorted());
    expect(await sql("SELECT id FROM images WHERE status = 'active' AND deleted = 0 ORDER BY id")).toEqual(
      kept.toSorted(),
    );
    expect(await sql("SELECT id FROM images WHERE status = 'deleted' AND deleted = 1 ORDER BY id")).toEqual(
      deleted.toSorted(),
    );
    expect(await sql("SELECT id FROM image_locations WHERE status = 'pending_delete'")).toEqual([]);
    const [, ...lines] = (await ours('plan', '--json')).stdout.trim().split('\n');
    expect(lines).toEqual([]);
  });
});
