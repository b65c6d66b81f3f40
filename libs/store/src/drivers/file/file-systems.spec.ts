import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreDriver } from '../../driver.js';
import { Store } from '../../store.js';
import { Stores } from '../../stores.js';
import { chunked, collect, content, never } from '../../testing/content.js';
import { create, type FileSettings, schemes } from '../file.js';
import { FileDriver } from './file-driver.js';

const bytes = content(300_000);
const id = '0b2a4c1e-0000-4000-8000-000000000001';
let directory = '';
let mounted: string[] = [];

function mount(at: string, size = '16m'): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', at]);
  mounted.push(at);
}

function unmount(at: string): void {
  execFileSync('umount', [at]);
  mounted = mounted.filter((each) => each !== at);
}

function driver(settings: Partial<FileSettings> = {}): StoreDriver {
  return create({
    filesystemStoreDatadir: join(directory, 'images'),
    filesystemStoreDatadirs: [],
    filesystemStoreMetadataFile: undefined,
    filesystemStoreMountPoint: undefined,
    filesystemStoreTimeout: 0,
    filesystemStoreThreadPoolSize: 10,
    filesystemStoreThreadpoolThreshold: 75,
    filesystemStoreChunkSize: 65536,
    filesystemStoreFilePerm: 0,
    filesystemThinProvisioning: false,
    filesystemStoreFsync: false,
    ...settings,
  });
}

const image = (of = bytes) => ({ id, data: chunked(of), maxSize: 1e9, signal: never() });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'glance-files-'));
});

afterEach(async () => {
  mounted.forEach(unmount);
  await rm(directory, { recursive: true, force: true });
});

describe('a file system that is not mounted', () => {
  it('takes nothing, loses nothing and erases nothing, until it is mounted again', async () => {
    const images = join(directory, 'images');
    await mkdir(images);
    mount(images);
    const store = new Store(driver());
    const { url } = await store.write(image());
    const kept = join(directory, 'kept');
    await mkdir(kept);
    execFileSync('mount', ['--bind', images, kept]);
    mounted.push(kept);
    unmount(images);
    const away = { code: 'StoreUnavailable', message: 'The file system of the store is not mounted.' };
    await expect(store.write({ ...image(), id: `${id.slice(0, -1)}2` })).rejects.toMatchObject(away);
    await expect(store.read(url, { signal: never() })).rejects.toMatchObject(away);
    await expect(store.delete(url, never())).rejects.toMatchObject(away);
    await expect(store.discard(id, never())).rejects.toMatchObject(away);
    await expect(store.check()).rejects.toMatchObject(away);
    expect(await readdir(images)).toEqual([]);
    execFileSync('mount', ['--bind', kept, images]);
    mounted.push(images);
    await store.check();
    expect((await collect((await store.read(url, { signal: never() })).data)).equals(bytes)).toBe(true);
  });

  it('is waited for from the start when the options name the mount point', async () => {
    await mkdir(join(directory, 'share'));
    const settings = { filesystemStoreDatadir: join(directory, 'share', 'images') };
    const store = new Store(driver({ ...settings, filesystemStoreMountPoint: join(directory, 'share') }));
    await expect(store.open()).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(await readdir(join(directory, 'share'))).toEqual([]);
    mount(join(directory, 'share'));
    await store.check().catch(() => undefined);
    await expect
      .poll(
        () =>
          store.check().then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    await store.write(image());
    expect(await readdir(join(directory, 'share', 'images'))).toEqual([id]);
  });
});

describe('a file system that does not answer', () => {
  /** Opening a FIFO hangs in the system, until somebody opens its other end. */
  async function hang(path: string): Promise<void> {
    await unlink(path);
    execFileSync('mkfifo', [path]);
  }

  it('fails in time, holds few threads, and another copy is read', async () => {
    const patience = { timeout: 200, atATime: 3, mostStuck: 2 };
    const hung = join(directory, 'hung');
    const settings = { chunkSize: 65536, mode: undefined, sparse: false, durable: false };
    const drivers = {
      hung: new FileDriver({ ...settings, directory: hung, patience }),
      well: new FileDriver({ ...settings, directory: join(directory, 'well') }),
    };
    const configured = Object.entries(drivers).map(([name, each]) => ({ id: name, schemes, store: new Store(each) }));
    const stores = new Stores(configured, { defaultId: 'hung', named: true });
    await stores.open(() => undefined);
    const locations = [
      await stores.write({ ...image(), store: 'hung' }),
      await stores.write({ ...image(), store: 'well' }),
    ];
    const downloads = await Promise.all(
      Array.from({ length: 50 }, () => stores.openRead(locations, { signal: never() })),
    );
    expect(downloads[0]!.location.metadata).toEqual({ store: 'hung' });
    await hang(join(hung, id));
    const began = performance.now();
    for (const all of await Promise.all(downloads.map(({ data }) => collect(data)))) {
      expect(all.equals(bytes)).toBe(true);
    }
    expect(performance.now() - began).toBeLessThan(5000);
    const refused = performance.now();
    await expect(drivers.hung.size(locations[0]!.url)).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(performance.now() - refused).toBeLessThan(100);
    // The server of the file system is back: what hung is answered, and the store is usable again.
    const end = await open(join(hung, id), constants.O_WRONLY);
    await end.close();
    await unlink(join(hung, id));
    await writeFile(join(hung, id), bytes);
    await expect.poll(() => drivers.hung.size(locations[0]!.url).catch(() => undefined)).toBe(bytes.length);
  });

  it('makes an upload fail in time, which then is to be discarded later', async () => {
    await driver().open();
    const patience = { timeout: 200, atATime: 1, mostStuck: 1 };
    const images = join(directory, 'images');
    const slow = new FileDriver({
      directory: images,
      chunkSize: 65536,
      mode: undefined,
      sparse: false,
      durable: false,
      patience,
    });
    await writeFile(join(images, 'other'), 'x');
    const { data } = await slow.read(`file://${images}/other`, { offset: 0, signal: never() });
    await hang(join(images, 'other'));
    const reading = collect(data).catch((error: unknown) => error);
    const failed = { code: 'StoreUnavailable', details: { leftovers: true } };
    await expect(new Store(slow).write(image())).rejects.toMatchObject(failed);
    expect(await reading).toMatchObject({ code: 'StoreUnavailable' });
    await (await open(join(images, 'other'), constants.O_WRONLY)).close();
  });
});

describe('several directories', () => {
  it('take images by priority and room', async () => {
    for (const [name, size] of [
      ['small', '1m'],
      ['large', '8m'],
      ['spare', '16m'],
    ] as const) {
      await mkdir(join(directory, name));
      mount(join(directory, name), size);
    }
    const at = (name: string, priority: number): string => `${join(directory, name)}:${priority}`;
    const store = driver({ filesystemStoreDatadirs: [at('spare', 1), at('small', 2), at('large', 2)] });
    await store.open();
    const where = async (number: number, size: number): Promise<string> => {
      const data = chunked(content(size));
      return store.write(`${id.slice(0, -1)}${number}`, data, { size, signal: never() });
    };
    expect(await where(1, 5_000_000)).toContain('/large/');
    expect(await where(2, 2_000_000)).toContain('/large/');
    expect(await where(3, 3_000_000)).toContain('/spare/');
    expect(await where(4, 500_000)).toMatch(/\/(small|large)\//);
    await expect(where(5, 20_000_000)).rejects.toMatchObject({ code: 'StorageFull' });
    await expect(where(1, 10)).rejects.toMatchObject({ code: 'DataExists' });
    const ids: string[] = [];
    for await (const each of store.ids!(never())) ids.push(each);
    expect(ids.sort()).toEqual([1, 2, 3, 4].map((number) => `${id.slice(0, -1)}${number}`));
    expect((await store.capacity!()).total).toBe(25 * 1024 * 1024);
  });
});

describe('the metadata of a share', () => {
  it('goes into new locations', async () => {
    const file = join(directory, 'share.json');
    await writeFile(file, JSON.stringify([{ id: 'nfs-1', mountpoint: `${directory}/` }]));
    const store = new Store(driver({ filesystemStoreMetadataFile: file }));
    const stores = new Stores([{ id: 'file', schemes, store }], { defaultId: 'file', named: true });
    const { metadata } = await stores.write(image());
    expect(metadata).toEqual({ id: 'nfs-1', mountpoint: `${directory}/`, store: 'file' });
    expect((await stat(join(directory, 'images', id))).size).toBe(bytes.length);
  });

  it.each(['{', '{"id": "x"}', '[{"id": 1, "mountpoint": "/"}]'])('is refused as %s', async (text) => {
    const file = join(directory, 'share.json');
    await writeFile(file, text);
    expect(() => driver({ filesystemStoreMetadataFile: file })).toThrow('filesystem_store_metadata_file');
  });
});
