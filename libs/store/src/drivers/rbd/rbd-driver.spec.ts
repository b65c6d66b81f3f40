import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { Cluster, features, type Pool } from '@glance/node-rados';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bytes } from '../../bytes.js';
import { Store } from '../../store.js';
import { chunked, collect, content, never } from '../../testing/content.js';
import { describeDriver } from '../../testing/describe-driver.js';
import { settingsOf } from '../../testing/settings.js';
import { create, options } from '../rbd.js';
import { RbdDriver, type RbdDriverSettings } from './rbd-driver.js';
import { removeSnapshot } from './remove-image.js';

const mib = 1024 * 1024;
const conf = process.env['GLANCE_TEST_CEPH']!;
const bytes = content(3 * mib);
let cluster: Cluster;
let pool: Pool;
let driver: RbdDriver;

function newDriver(settings: Partial<RbdDriverSettings> = {}): RbdDriver {
  return new RbdDriver({ cluster: { conf, user: 'glance' }, pool: 'images', order: 23, sparse: true, ...settings });
}

beforeAll(async () => {
  cluster = await Cluster.connect({ conf });
  pool = await cluster.pool('images');
  driver = newDriver();
});

afterAll(async () => {
  await driver.close();
  await cluster.close();
});

// In this file, because it looks at all that is in the pool.
describeDriver('rbd', async () => ({
  driver: create(settingsOf(options, { rbdStoreUser: 'glance', rbdStoreCephConf: conf })),
  list: async () => (await pool.images()).sort(),
}));

async function write(data = chunked(bytes), size?: number): Promise<{ id: string; url: string }> {
  const id = randomUUID();
  return { id, url: await driver.write(id, data, { size, signal: never() }) };
}

async function read(url: string): Promise<Buffer> {
  return collect((await driver.read(url, { offset: 0, signal: never() })).data);
}

/** Bytes of an image that take room, at most: objects count from their first byte to their last. */
async function allocated(id: string): Promise<number> {
  await using image = await pool.open({ name: id, readOnly: true });
  return (await image.extents()).reduce((sum, { length }) => sum + length, 0);
}

describe('an image in Ceph', () => {
  it.each(['deleted', 'discarded'] as const)(
    'is gone, name and all, when it is %s after a removal that was killed',
    async (how) => {
      const { id, url } = await write();
      const image = await pool.open({ name: id });
      const header = `rbd_header.${image.id}`;
      await image.unprotectSnapshot('snap');
      await image.removeSnapshot('snap');
      await image.close();
      // What librbd has done when it dies on its way: the name comes last.
      await promisify(execFile)('rados', ['-c', conf, '-p', 'images', 'rm', header]);
      expect(await pool.images()).toContain(id);
      await (how === 'deleted' ? driver.delete(url) : driver.discard(id, never()));
      expect(await pool.images()).not.toContain(id);
    },
  );

  it('is laid out as Nova and Cinder expect it', async () => {
    const { id, url } = await write(chunked(bytes), bytes.length);
    expect(url).toBe(`rbd://${cluster.fsid}/images/${id}/snap`);
    await using image = await pool.open({ name: id });
    expect(await image.stat()).toEqual({ size: bytes.length, objectSize: 8 * mib, order: 23 });
    expect(await image.snapshots()).toMatchObject([{ name: 'snap', size: bytes.length, kind: 'user' }]);
    expect(await image.isProtected('snap')).toBe(true);
    // What rbd_default_features says unless somebody changes it.
    expect(await image.features()).toBe(61);
  });

  it('has layering only where the configuration names no features by number', async () => {
    const plain = newDriver({ cluster: { conf, options: { rbd_default_features: '0' } }, order: 22 });
    const id = randomUUID();
    await plain.write(id, chunked(bytes), { size: bytes.length, signal: never() });
    await using image = await pool.open({ name: id });
    expect(await image.features()).toBe(features.layering);
    expect(await image.stat()).toMatchObject({ order: 22 });
    await plain.close();
  });

  it('has exactly the size that came, known before or not', async () => {
    for (const length of [0, 1, 150 * mib + 1]) {
      async function* data(): Bytes {
        for (let left = length; left > 0; left -= bytes.length) yield bytes.subarray(0, left);
      }
      const { id } = await write(data());
      await using image = await pool.open({ name: id });
      expect(image.size).toBe(length);
      await expect(image.snapshots()).resolves.toMatchObject([{ size: length }]);
      if (length > mib) await image.unprotectSnapshot('snap').then(() => image.removeSnapshot('snap'));
    }
  });

  it('is found by its name alone, too, and in the pool that its location names', async () => {
    const { id } = await write();
    await using image = await pool.open({ name: id });
    expect((await read(`rbd://${id}`)).equals(bytes)).toBe(true);

    const other = `other-${randomUUID()}`;
    await cluster.createPool(other);
    const elsewhere = newDriver({ cluster: { conf }, pool: other });
    const url = await elsewhere.write(id, chunked(content(1000)), { size: 1000, signal: never() });
    const admin = newDriver({ cluster: { conf } });
    expect(await admin.size(url)).toBe(1000);
    await admin.open();
    expect(admin.canonical(url)).toBeUndefined();
    const unopened = newDriver({ cluster: { conf }, pool: other });
    expect(unopened.canonical(url)).toBeUndefined();
    await unopened.open();
    expect(unopened.canonical(url)).toBe(url);
    expect(unopened.canonical(url.replace(/\/\/[^/]*/, '//another'))).toBeUndefined();
    await unopened.close();
    expect(await admin.size(`rbd://${id}`)).toBe(bytes.length);
    await admin.delete(url);
    expect(image.size).toBe(bytes.length);
    await elsewhere.close();
    await admin.close();
    await cluster.deletePool(other);
  });

  it('takes no room where it is zeros, unless that is wanted', async () => {
    const image = Buffer.concat([Buffer.alloc(9 * mib), bytes, Buffer.alloc(20 * mib), Buffer.from('x'), Buffer.alloc(8 * mib)]); // prettier-ignore
    const { id, url } = await write(chunked(image, 100_003));
    expect((await read(url)).equals(image)).toBe(true);
    expect(await allocated(id)).toBeLessThan(5 * mib);
    const thick = newDriver({ sparse: false });
    const thickId = randomUUID();
    await thick.write(thickId, chunked(image, mib), { size: image.length, signal: never() });
    expect(await allocated(thickId)).toBe(image.length);
    await thick.close();
  });

  it('needs an id that can be its name', async () => {
    for (const id of ['', 'a/b', 'a@b', '.', 'é', 'x'.repeat(300)]) {
      const invalid = { code: 'Invalid' };
      await expect(driver.write(id, chunked(bytes), { size: 0, signal: never() })).rejects.toMatchObject(invalid);
      await expect(driver.discard(id, never())).rejects.toMatchObject(invalid);
    }
  });

  it('fails to be read when it was removed meanwhile, instead of turning into zeros', async () => {
    const { id, url } = await write(chunked(content(48 * mib), 8 * mib));
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    const reading = (async () => {
      let begun = false;
      for await (const _ of data) {
        if (!begun) await driver.delete(url);
        begun = true;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DataNotFound' });
    expect(await pool.images()).not.toContain(id);
  });

  it('is not another one that took its name while it was read', async () => {
    const { id, url } = await write(chunked(content(48 * mib), 8 * mib));
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    const reading = (async () => {
      let begun = false;
      for await (const _ of data) {
        if (!begun) {
          await driver.delete(url);
          await driver.write(id, chunked(content(48 * mib, 2), 8 * mib), { size: undefined, signal: never() });
        }
        begun = true;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DataNotFound' });
  });

  it('is not found in a pool that is not there', async () => {
    const admin = newDriver({ cluster: { conf } });
    const missing = { code: 'DataNotFound' };
    await expect(admin.size('rbd://fsid/nowhere/one/snap')).rejects.toMatchObject(missing);
    await expect(admin.delete('rbd://fsid/nowhere/one/snap')).rejects.toMatchObject(missing);
    await admin.close();
    const nowhere = newDriver({ cluster: { conf }, pool: 'nowhere' });
    await expect(nowhere.open()).rejects.toMatchObject({ code: 'StorageDenied' });
    await expect(nowhere.open()).rejects.toThrow('ceph osd pool create');
    await nowhere.close();
  });
});

describe('an image that somebody needs', () => {
  it('is not deleted while it has clones of format 1, and stays as it was', async () => {
    const { id, url } = await write();
    await pool.clone(`${id}-clone`, { pool, name: id, snapshot: 'snap' }, { format: 1 });
    await expect(driver.delete(url)).rejects.toMatchObject({ code: 'DataInUse' });
    await expect(driver.discard(id, AbortSignal.timeout(100))).rejects.toBeInstanceOf(Error);
    expect((await read(url)).equals(bytes)).toBe(true);
    await pool.remove(`${id}-clone`);
    await driver.delete(url);
    expect(await pool.images()).not.toContain(id);
  });

  it('goes to the trash when it has clones of format 2, which keep their data', async () => {
    const { id, url } = await write();
    await pool.clone(`${id}-clone`, { pool, name: id, snapshot: 'snap' }, { format: 2 });
    await expect(driver.discard(id, AbortSignal.timeout(100))).rejects.toBeInstanceOf(Error);
    await driver.delete(url);
    await expect(driver.size(url)).rejects.toMatchObject({ code: 'DataNotFound' });
    expect((await pool.trash()).map(({ name }) => name)).toContain(id);
    expect((await read(`rbd://${id}-clone`)).equals(bytes)).toBe(true);
    await driver.write(id, chunked(bytes), { size: undefined, signal: never() });
    expect((await read(url)).equals(bytes)).toBe(true);
  });

  it('tells what holds it, also from the trash', async () => {
    const { id, url } = await write();
    const [inUse, deleted] = [`${id}-used`, `${id}-deleted`];
    for (const clone of [inUse, deleted]) {
      await pool.clone(clone, { pool, name: id, snapshot: 'snap' }, { format: 2 });
    }
    await pool.moveToTrash(deleted);
    const image = await pool.open({ name: id });
    await image.createSnapshot('theirs');
    const clones = [
      { kind: 'clone', name: `images/${inUse}`, trash: false },
      { kind: 'clone', name: `images/${deleted}`, trash: true },
    ];
    const client = { kind: 'client', name: expect.stringContaining('127.0.0.1') as string };
    const [held, ...more] = await driver.held(id);
    expect(held).toMatchObject({ name: `images/${id}`, trash: false });
    expect(held?.holders).toHaveLength(4);
    expect(held?.holders).toEqual(
      expect.arrayContaining([...clones, { kind: 'snapshot', name: 'theirs' }, client] as unknown[]),
    );
    expect(more).toEqual([]);
    await image.removeSnapshot('theirs');
    await image.close();
    await driver.delete(url);
    const [trashed] = await driver.held(id);
    expect(trashed).toMatchObject({ trash: true, name: expect.stringContaining(`images/${id} (`) as string });
    expect(trashed?.holders).toHaveLength(2);
    expect(trashed?.holders).toEqual(expect.arrayContaining(clones));
    expect(await driver.held(randomUUID())).toEqual([]);
  });

  it('is reclaimed from the trash when its last clone is gone, and nothing of others', async () => {
    const [ours, theirs] = [await write(), await write()];
    const clone = `${ours.id}-clone`;
    await pool.clone(clone, { pool, name: ours.id, snapshot: 'snap' }, { format: 2 });
    await driver.delete(ours.url);
    const image = await pool.open({ name: theirs.id });
    await removeSnapshot(image, 'snap');
    await image.close();
    await pool.moveToTrash(theirs.id);
    const names = async (): Promise<string[]> => (await pool.trash()).map(({ name }) => name);

    const reclaimed = async (): Promise<number[]> => {
      const all: number[] = [];
      for await (const { key, id, bytes: size } of driver.trash(never())) {
        expect(id).toBe(ours.id);
        if (await driver.reclaim(key)) all.push(size);
      }
      return all;
    };
    const of = async (name: string): Promise<string> => (await pool.trash()).find((each) => each.name === name)!.id;
    for (const each of [ours, theirs]) expect(await driver.reclaim(await of(each.id))).toBe(false);
    await reclaimed();
    expect(await names()).toEqual(expect.arrayContaining([ours.id, theirs.id]));
    expect((await read(`rbd://${clone}`)).equals(bytes)).toBe(true);

    await pool.remove(clone);
    expect(await reclaimed()).toEqual([bytes.length]);
    expect(await names()).not.toContain(ours.id);
    expect(await names()).toContain(theirs.id);
  });

  it('goes to the trash when somebody has made another snapshot of it', async () => {
    const { id, url } = await write();
    const image = await pool.open({ name: id });
    await image.createSnapshot('theirs');
    await image.close();
    await driver.delete(url);
    expect((await pool.trash()).map(({ name }) => name)).toContain(id);
  });

  it('is not deleted while a client has it open for writing, and stays as it was', async () => {
    const { id, url } = await write();
    const image = await pool.open({ name: id });
    await expect(driver.delete(url)).rejects.toMatchObject({ code: 'DataInUse' });
    expect((await read(url)).equals(bytes)).toBe(true);
    expect(await image.isProtected('snap')).toBe(true);
    await image.close();
    await driver.delete(url);
  });

  it('is deleted while it is only read', async () => {
    const { id, url } = await write();
    await using reader = await pool.open({ name: id, snapshot: 'snap', readOnly: true });
    await driver.delete(url);
    expect(reader.size).toBe(bytes.length);
  });
});

describe('what a write has left', () => {
  for (const [what, leave] of [
    ['an image without a snapshot', async () => undefined],
    ['an image with a snapshot that is not protected', async (id: string) => {
      await using image = await pool.open({ name: id });
      await image.createSnapshot('snap');
    }], // prettier-ignore
  ] as const) {
    it(`is discarded when it is ${what}`, async () => {
      const id = randomUUID();
      await pool.create(id, { size: mib });
      await leave(id);
      await driver.discard(id, never());
      expect(await pool.images()).not.toContain(id);
    });
  }

  it('is discarded when its writer, in another process, has gone', async () => {
    const id = randomUUID();
    await pool.create(id, { size: mib });
    const writer = await pool.open({ name: id });
    const discarding = driver.discard(id, never());
    await writer.close();
    await discarding;
    expect(await pool.images()).not.toContain(id);
  });
});

describe('many streams at once', () => {
  it('share a bounded amount of memory', { timeout: 60_000 }, async () => {
    const size = 32 * mib;
    async function* source(): Bytes {
      for (let left = size; left > 0; left -= bytes.length) yield bytes.subarray(0, left);
    }
    const store = new Store(driver);
    const upload = async (): Promise<string> =>
      (await store.write({ id: randomUUID(), data: source(), maxSize: Infinity, signal: never() })).url;
    const download = async (url: string): Promise<number> => {
      let received = 0;
      const { data } = await store.read(url, { signal: never() });
      for await (const chunk of data) {
        expect(chunk[0]).toBe(bytes[received % bytes.length]);
        received += chunk.length;
      }
      return received;
    };
    const url = await upload();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 5);
    const uploads = Array.from({ length: 20 }, upload);
    const downloads = await Promise.all(Array.from({ length: 20 }, () => download(url)));
    const urls = await Promise.all(uploads);
    clearInterval(watch);
    expect(downloads).toEqual(downloads.map(() => size));
    // 20 × 1 and 20 × 2 buffers of 4 MiB, 32 more that they share, and the few that wait to be collected.
    expect(most / mib).toBeLessThan(4 * (60 + 32) + 64);
    await Promise.all([...urls, url].map((each) => driver.delete(each)));
  });
});
