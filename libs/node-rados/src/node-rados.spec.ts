import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from './cluster.js';
import type { Image } from './image.js';
import { features, type Pool } from './pool.js';

const mib = 1024 * 1024;
const conf = process.env['GLANCE_TEST_CEPH']!;
let cluster: Cluster;
let pool: Pool;

beforeAll(async () => {
  cluster = await Cluster.connect({ conf, user: 'glance' });
  pool = await cluster.pool('bindings');
});

afterAll(async () => {
  await cluster.close();
});

async function newImage(size = 20 * mib, bits: number = features.layering): Promise<{ name: string; image: Image }> {
  const name = randomUUID();
  await pool.create(name, { size, order: 23, features: bits });
  return { name, image: await pool.open({ name }) };
}

function filled(length: number, value: number): Buffer {
  return Buffer.alloc(length, value);
}

function code(name: string): { name: string; code: string } {
  return { name: 'RadosError', code: name };
}

describe('a cluster', () => {
  it('tells who it is', () => {
    expect(cluster.fsid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(cluster.instanceId).toBeGreaterThan(0);
  });

  it('tells its options', () => {
    expect(cluster.option('rbd_default_features')).toBe('61');
    expect(cluster.option('rbd_cache')).toBe('false');
    expect(cluster.option('no_such_option')).toBeUndefined();
  });

  it('makes and deletes pools', async () => {
    await using admin = await Cluster.connect({ conf });
    const name = `pool-${randomUUID()}`;
    await admin.createPool(name);
    expect(await admin.pools()).toContain(name);
    await using made = await admin.pool(name);
    await made.initialize();
    await made.create('one', { size: mib });
    expect(await made.images()).toEqual(['one']);
    await made.close();
    await admin.deletePool(name);
    expect(await admin.pools()).not.toContain(name);
    await expect(admin.pool(name)).rejects.toMatchObject(code('ENOENT'));
  });

  it('has statistics', async () => {
    expect(Object.keys(await cluster.stats())).toEqual(['total', 'used', 'available']);
    expect(Object.keys(await pool.stats())).toEqual(['bytes', 'objects']);
  });

  for (const [what, options, error] of [
    ['a ceph.conf that is missing', { conf: '/nowhere/ceph.conf' }, 'ENOENT'],
    ['a ceph.conf that is none', { conf: '/bin/sh' }, 'EINVAL'],
    ['a user without a keyring', { conf, user: 'nobody' }, 'ENOENT'],
    ['a wrong key', { conf, user: 'glance', key: 'AQBPaBVlAAAAABAAQ4wXhHkH7dn3bX0dY3l8Xg==' }, 'EACCES'],
  ] as const) {
    it(`refuses ${what} with ${error}`, async () => {
      await expect(Cluster.connect(options)).rejects.toMatchObject(code(error));
    });
  }

  it('closes what is open in it, and leaves no descriptor', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const { name, image } = await newImage();
    await image.close();
    const before = descriptors();
    const other = await Cluster.connect({ conf, user: 'glance' });
    const itsPool = await other.pool('bindings');
    const [first, second] = await Promise.all([itsPool.open({ name }), itsPool.open({ name, readOnly: true })]);
    const reading = first.read(0, Buffer.alloc(mib));
    const opening = itsPool.open({ name, readOnly: true });
    await other.close();
    expect(await reading).toBe(mib);
    await expect((await opening).read(0, Buffer.alloc(10))).rejects.toMatchObject(code('EBADF'));
    for (const closed of [
      () => second.stat(),
      () => itsPool.images(),
      () => other.stats(),
      () => other.pool('bindings'),
    ]) {
      await expect(closed()).rejects.toMatchObject(code('EBADF'));
    }
    expect(() => other.option('fsid')).toThrow('EBADF');
    await Promise.all([first.close(), itsPool.close(), other.close()]);
    await expect.poll(descriptors).toBe(before);
  });
});

describe('an image', () => {
  it('has the shape that was asked for', async () => {
    const { name, image } = await newImage(20 * mib + 5, features.layering | features.exclusiveLock);
    expect(await image.stat()).toEqual({ size: 20 * mib + 5, objectSize: 8 * mib, order: 23 });
    expect(await image.features()).toBe(5);
    expect(image.id).toMatch(/^[0-9a-f]+$/);
    expect(await pool.images()).toContain(name);
    await image.close();
    await expect(pool.create(name, { size: 1 })).rejects.toMatchObject(code('EEXIST'));
    await pool.rename(name, `${name}-renamed`);
    await pool.remove(`${name}-renamed`);
    await expect(pool.open({ name })).rejects.toMatchObject(code('ENOENT'));
    await expect(pool.remove(name)).rejects.toMatchObject(code('ENOENT'));
  });

  it('keeps what many overlapping writes brought', async () => {
    const { image } = await newImage(64 * mib);
    const pieces = Array.from({ length: 64 }, (_, index) => filled(mib, index + 1));
    await Promise.all(pieces.map((piece, index) => image.write(index * mib, piece)));
    await image.flush();
    const memory = pieces.map(() => Buffer.alloc(mib));
    const lengths = await Promise.all(memory.map((buffer, index) => image.read(index * mib, buffer)));
    expect(lengths).toEqual(pieces.map(() => mib));
    expect(memory.every((buffer, index) => buffer.equals(pieces[index]!))).toBe(true);
    await image.close();
  });

  it('reads up to its end, and refuses what is behind', async () => {
    const { name, image } = await newImage();
    expect(await image.read(20 * mib - 10, Buffer.alloc(100))).toBe(10);
    await expect(image.read(21 * mib, Buffer.alloc(100))).rejects.toMatchObject(code('EINVAL'));
    await expect(image.write(20 * mib - 1, Buffer.alloc(2))).rejects.toMatchObject(code('EINVAL'));
    await using readOnly = await pool.open({ name, readOnly: true });
    await expect(readOnly.write(0, Buffer.alloc(2))).rejects.toMatchObject(code('EROFS'));
    await image.resize(30 * mib);
    await image.write(20 * mib, filled(10 * mib, 7));
    expect(image.size).toBe(30 * mib);
    await image.resize(mib);
    expect(await image.stat()).toMatchObject({ size: mib });
    await image.close();
  });

  it('tells where it has data', async () => {
    const { image } = await newImage(64 * mib);
    await image.write(8 * mib, filled(8 * mib, 1));
    await image.write(24 * mib, filled(4096, 1));
    const data = [
      { offset: 8 * mib, length: 8 * mib, exists: true },
      { offset: 24 * mib, length: 4096, exists: true },
    ];
    expect(await image.extents()).toEqual(data);
    await image.createSnapshot('before');
    await image.discard(8 * mib, 8 * mib);
    expect(await image.extents({ since: 'before' })).toEqual([{ offset: 8 * mib, length: 8 * mib, exists: false }]);
    await image.writeZeroes(24 * mib + 10, 20);
    const memory = Buffer.alloc(40);
    await image.read(24 * mib, memory);
    expect(memory.equals(Buffer.concat([filled(10, 1), filled(20, 0), filled(10, 1)]))).toBe(true);
    await image.close();
  });

  it('keeps metadata, of any size', async () => {
    const { image } = await newImage();
    expect(await image.metadata()).toEqual(new Map());
    await image.setMetadata('owner', 'José');
    await image.setMetadata('large', 'x'.repeat(30_000));
    expect(await image.metadata()).toEqual(new Map([['large', 'x'.repeat(30_000)], ['owner', 'José']])); // prettier-ignore
    await image.removeMetadata('large');
    expect(await image.metadata()).toEqual(new Map([['owner', 'José']]));
    await image.close();
  });

  it('cannot be removed while it is open for writing', async () => {
    const { name, image } = await newImage();
    expect(await image.watchers()).toMatchObject([{ client: cluster.instanceId }]);
    await expect(pool.remove(name)).rejects.toMatchObject(code('EBUSY'));
    await image.close();
    await using readOnly = await pool.open({ name, readOnly: true });
    expect(await readOnly.watchers()).toEqual([]);
    await pool.remove(name);
  });

  it('is closed when it was open, read, and nobody waited', async () => {
    const { image } = await newImage();
    const reads = Array.from({ length: 8 }, () => image.read(0, Buffer.alloc(8 * mib)));
    await image.close();
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 8 }, () => 8 * mib));
    await expect(image.read(0, Buffer.alloc(1))).rejects.toMatchObject(code('EBADF'));
  });
});

describe('a snapshot', () => {
  it('keeps what was there, and can be protected', async () => {
    const { name, image } = await newImage();
    await image.write(0, filled(mib, 1));
    await image.createSnapshot('snap');
    await image.write(0, filled(mib, 2));
    await image.protectSnapshot('snap');
    expect(await image.isProtected('snap')).toBe(true);
    expect(await image.snapshots()).toMatchObject([{ name: 'snap', size: 20 * mib, kind: 'user' }]);
    await expect(image.removeSnapshot('snap')).rejects.toMatchObject(code('EBUSY'));
    await using snapshot = await pool.open({ name, snapshot: 'snap', readOnly: true });
    const memory = Buffer.alloc(mib);
    await snapshot.read(0, memory);
    expect(memory.equals(filled(mib, 1))).toBe(true);
    await expect(pool.open({ name, snapshot: 'other' })).rejects.toMatchObject(code('ENOENT'));
    await image.unprotectSnapshot('snap');
    await expect(image.unprotectSnapshot('snap')).rejects.toMatchObject(code('EINVAL'));
    await image.close();
    await expect(pool.remove(name)).rejects.toMatchObject(code('ENOTEMPTY'));
  });

  it('is listed among more than a first guess has room for', async () => {
    const { image } = await newImage();
    expect(await image.snapshots()).toEqual([]);
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    for (const name of names) await image.createSnapshot(name);
    expect((await image.snapshots()).map(({ name }) => name)).toEqual(names);
    for (const name of names) await image.removeSnapshot(name);
    await image.close();
  });

  it('of format 1 clones cannot be unprotected, one of format 2 clones goes to the trash', async () => {
    const { name, image } = await newImage();
    await image.write(0, filled(mib, 1));
    await image.createSnapshot('snap');
    await image.protectSnapshot('snap');
    const parent = { pool, name, snapshot: 'snap' };
    await pool.clone(`${name}-1`, parent, { format: 1, features: features.layering });
    await pool.clone(`${name}-2`, parent, { format: 2, features: features.layering });
    const children = await image.children();
    expect(children.map((child) => child.name).sort()).toEqual([`${name}-1`, `${name}-2`]);
    await expect(image.unprotectSnapshot('snap')).rejects.toMatchObject(code('EBUSY'));
    await pool.remove(`${name}-1`);
    await image.unprotectSnapshot('snap');
    await image.removeSnapshot('snap');
    expect(await image.snapshots()).toMatchObject([{ kind: 'trash' }]);
    const { id } = image;
    await image.close();
    await expect(pool.remove(name)).rejects.toMatchObject(code('ENOTEMPTY'));

    await pool.moveToTrash(name);
    expect(await pool.images()).not.toContain(name);
    expect((await pool.trash()).find((entry) => entry.id === id)).toMatchObject({ name });
    await expect(pool.removeFromTrash(id)).rejects.toMatchObject(code('ENOTEMPTY'));
    await using clone = await pool.open({ name: `${name}-2` });
    await clone.flatten();
    const memory = Buffer.alloc(mib);
    await clone.read(0, memory);
    expect(memory.equals(filled(mib, 1))).toBe(true);
    await pool.restoreFromTrash(id, name);
    expect(await pool.images()).toContain(name);
    await pool.moveToTrash(name);
    await pool.removeFromTrash(id);
    expect((await pool.trash()).map((entry) => entry.id)).not.toContain(id);
  });
});
