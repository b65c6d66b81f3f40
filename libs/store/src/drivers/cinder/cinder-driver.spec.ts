import { randomUUID } from 'node:crypto';
import { stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoreDriver } from '../../driver.js';
import { Store } from '../../store.js';
import { cinderUser } from '../../testing/block-storage.js';
import { type CinderStandIn, cinderStandIn } from '../../testing/cinder-share.js';
import { chunked, collect, content, never } from '../../testing/content.js';
import type { CinderSettings } from '../cinder.js';

const bytes = content(300_000);
let standIn: CinderStandIn;
let drivers: StoreDriver[] = [];

beforeAll(async () => {
  standIn = await cinderStandIn();
});
beforeEach(() => {
  standIn.storage.volumes.clear();
  standIn.storage.attachments.clear();
  standIn.storage.requests.length = 0;
  Object.assign(standIn.storage, { connection: {}, protocol: 'nfs', administrator: true });
});
afterEach(async () => {
  await Promise.all(drivers.map((each) => each.close()));
  drivers = [];
});
afterAll(() => standIn.close());

function driver(changes: Partial<CinderSettings> = {}, backend?: string): StoreDriver {
  const made = standIn.driver(changes, backend);
  drivers.push(made);
  return made;
}

const write = (to: StoreDriver, id = randomUUID(), data = bytes): Promise<string> =>
  to.write(id, chunked(data), { size: undefined, owner: 'project-of-the-image', signal: never() });

async function read(from: StoreDriver, url: string): Promise<Buffer> {
  return collect((await from.read(url, { offset: 0, signal: never() })).data);
}

describe('an image in a volume', () => {
  it('is as Glance and Cinder know it', async () => {
    const id = randomUUID();
    const url = await write(driver(), id);
    const [volume] = standIn.storage.volumes.values();
    expect(url).toBe(`cinder://${volume!.id}`);
    expect(volume).toMatchObject({ name: `image-${id}`, size: 1, status: 'available' });
    expect(volume!.metadata).toEqual({
      glance_image_id: id,
      image_owner: 'project-of-the-image',
      image_size: '300000',
      readonly: 'True',
    });
    expect(standIn.storage.attachments.size).toBe(0);
  });

  it('has its store in its location where there are several', async () => {
    const fast = driver({}, 'fast');
    const url = await write(fast);
    expect(url).toMatch(/^cinder:\/\/fast\/[0-9a-f-]{36}$/);
    const [old, other] = [url.replace('fast/', ''), url.replace('fast', 'slow')];
    expect([url, old, other].map((each) => fast.canonical!(each))).toEqual([url, undefined, undefined]);
    expect([url, old].map((each) => driver().canonical!(each))).toEqual([undefined, old]);
    for (const each of [url, old, other]) expect((await read(fast, each)).equals(bytes)).toBe(true);
  });

  it('grows while data of unknown size arrives, detached', async () => {
    const gib = 1024 ** 3;
    const zeros = Buffer.alloc(64 * 1024 * 1024);
    async function* data() {
      for (let sent = 0; sent < gib; sent += zeros.length) yield zeros;
      yield bytes;
    }
    const store = driver();
    const url = await store.write(randomUUID(), data(), { size: undefined, signal: never() });
    const [volume] = standIn.storage.volumes.values();
    expect(volume).toMatchObject({ size: 2, metadata: { image_size: String(gib + bytes.length) } });
    const { size, data: rest } = await store.read(url, { offset: gib, signal: never() });
    expect(size).toBe(gib + bytes.length);
    expect((await collect(rest)).equals(bytes)).toBe(true);
    // Zeros are not written.
    const { blocks } = await stat(join(standIn.storage.directory, `volume-${volume!.id}`));
    expect(blocks * 512).toBeLessThan(2 * 1024 * 1024);
  });

  it('of Glance, whose size is that of the volume where it did not tell, is read', async () => {
    const store = driver();
    const url = await write(store);
    const [volume] = standIn.storage.volumes.values();
    Reflect.deleteProperty(volume!.metadata, 'image_size');
    expect(await store.size(url, never())).toBe(1024 ** 3);
  });

  it('must have been made to be one', async () => {
    const store = driver();
    const url = await write(store);
    const [volume] = standIn.storage.volumes.values();
    Reflect.deleteProperty(volume!.metadata, 'glance_image_id');
    await expect(store.size(url, never())).rejects.toMatchObject({ code: 'BadLocation' });
    await expect(store.delete(url, never())).rejects.toMatchObject({ code: 'BadLocation' });
    expect(standIn.storage.volumes.size).toBe(1);
  });

  it('is attached once for all readers of a process, and by the next process once it is free', async () => {
    const [store, other] = [driver(), driver()];
    const url = await write(store);
    standIn.storage.requests.length = 0;
    const readers = await Promise.all(Array.from({ length: 5 }, () => read(store, url)));
    expect(readers.every((each) => each.equals(bytes))).toBe(true);
    expect(standIn.storage.requests.filter((each) => each === 'POST /attachments')).toHaveLength(1);
    const { data } = await store.read(url, { offset: 0, signal: never() });
    const reading = data[Symbol.asyncIterator]();
    await reading.next();
    await expect(other.delete(url, never())).rejects.toMatchObject({ code: 'DataInUse' });
    const waiting = read(other, url);
    await reading.return!();
    expect((await waiting).equals(bytes)).toBe(true);
    await other.delete(url, never());
  });

  it('of another type of volumes is not of this store', async () => {
    const id = randomUUID();
    await write(driver({ cinderVolumeType: 'other' }), id);
    const store = driver({ cinderVolumeType: 'nfs' });
    expect(await store.holding!(id, never())).toBeUndefined();
    await store.discard(id, never());
    expect(standIn.storage.volumes.size).toBe(1);
  });
});

describe('a volume that cannot be attached', () => {
  it('is told at the start, where the user may know', async () => {
    standIn.storage.protocol = 'iSCSI';
    await expect(driver().open()).rejects.toMatchObject({ code: 'StorageDenied' });
    await expect(driver().open()).rejects.toThrow('iSCSI');
    standIn.storage.administrator = false;
    await driver().open();
  });

  for (const [what, connection, says] of [
    ['is a device', { driver_volume_type: 'iscsi' }, 'iscsi'],
    ['is encrypted', { encrypted: true }, 'encrypted'],
    ['is no raw file', { format: 'qcow2' }, 'nfs_qcow2_volumes'],
    ['leads out of the share', { name: '../../etc/shadow' }, 'names no file'],
    ['is on a share that is not mounted', { export: 'nowhere.invalid:/none' }, 'mount -t nfs nowhere.invalid:/none'],
  ] as const) {
    it(`because it ${what}, is told by the first upload, which leaves nothing`, async () => {
      standIn.storage.connection = connection;
      await expect(write(driver())).rejects.toThrow(says);
      expect(standIn.storage.volumes.size + standIn.storage.attachments.size).toBe(0);
    });
  }
});

describe('the user of the store', () => {
  it('is named by options that must be there, and accepted', async () => {
    expect(() => driver({ cinderStoreUserName: undefined })).toThrow('cinder_store_user_name');
    const wrong = driver({ cinderStorePassword: 'wrong' });
    await expect(wrong.open()).rejects.toThrow('cinder_store_password');
    await expect(wrong.open()).rejects.not.toThrow(cinderUser.password);
    await expect(driver({ cinderVolumeType: 'none' }).open()).rejects.toThrow('nfs, other');
    await expect(driver({ cinderOsRegionName: 'elsewhere' }).open()).rejects.toThrow('cinder_os_region_name');
  });

  it('gets a new token when one is refused', async () => {
    const store = driver();
    const url = await write(store);
    standIn.storage.refuseTokens();
    expect((await read(store, url)).equals(bytes)).toBe(true);
  });

  it('finds Cinder by a template, too', async () => {
    await driver({
      cinderEndpointTemplate: `${standIn.storage.url}/v3/%(project_id)s`,
      cinderCatalogInfo: 'no::public',
    }).open();
  });
});

describe('an upload', () => {
  it('that was left by a process that died is discarded, attachments and all', async () => {
    const store = driver();
    const id = randomUUID();
    await write(store, id);
    const [volume] = standIn.storage.volumes.values();
    Reflect.deleteProperty(volume!.metadata, 'image_size');
    volume!.status = 'in-use';
    standIn.storage.attachments.set('dead', { id: randomUUID(), volume: volume!.id, connected: true });
    await expect(write(store, id)).rejects.toMatchObject({ code: 'DataExists' });
    standIn.storage.attachments.clear();
    const attachment = randomUUID();
    standIn.storage.attachments.set(attachment, { id: attachment, volume: volume!.id, connected: true });
    await store.discard(id, never());
    expect(standIn.storage.volumes.size + standIn.storage.attachments.size).toBe(0);
  });

  it('whose share has lost the file fails, and leaves nothing', async () => {
    standIn.storage.connection = { name: 'volume-gone' };
    const writing = new Store(driver()).write({
      id: randomUUID(),
      data: chunked(bytes),
      maxSize: 1e9,
      signal: never(),
    });
    await expect(writing).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(standIn.storage.volumes.size).toBe(0);
  });
});

it('a download whose volume was cut short fails', async () => {
  const store = driver();
  const url = await write(store);
  const [volume] = standIn.storage.volumes.values();
  await truncate(join(standIn.storage.directory, `volume-${volume!.id}`), 1000);
  await expect(read(store, url)).rejects.toMatchObject({ code: 'StoreUnavailable' });
  expect(standIn.storage.attachments.size).toBe(0);
});
