import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bytes } from '../../bytes.js';
import { Store } from '../../store.js';
import { chunked, collect, content, never, stalling } from '../../testing/content.js';
import { FileDriver, type FileDriverSettings } from './file-driver.js';

const bytes = content(300_000);
const isRoot = process.getuid?.() === 0;
let directory = '';

function driver(settings: Partial<FileDriverSettings> = {}): FileDriver {
  return new FileDriver({ directory, chunkSize: 65536, mode: undefined, sparse: false, durable: false, ...settings });
}

async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'glance-file-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('the directory of a file store', () => {
  it('holds an image as a file of its id', async () => {
    const url = await driver().write('b7a5', chunked(bytes), { signal: never() });
    expect(url).toBe(`file://${directory}/b7a5`);
    expect((await readFile(join(directory, 'b7a5'))).equals(bytes)).toBe(true);
    expect(await readdir(directory)).toEqual(['b7a5']);
  });

  it('is made when it is missing', async () => {
    const missing = join(directory, 'a', 'b');
    await driver({ directory: missing }).open();
    expect((await stat(missing)).isDirectory()).toBe(true);
    expect(await readdir(missing)).toEqual([]);
  });

  it('must be a directory', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    const opening = driver({ directory: file }).open();
    await expect(opening).rejects.toThrow('filesystem_store_datadir');
  });

  it('is not made again while images are written: a file system may have gone away', async () => {
    const images = join(directory, 'images');
    const store = new Store(driver({ directory: images }));
    await store.open();
    await rm(images, { recursive: true });
    const write = store.write({ id: 'one', data: chunked(bytes), maxSize: 1e9, signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  it('is not made again by a look whether it is still there, and is found when it is back', async () => {
    const images = join(directory, 'images');
    const store = new Store(driver({ directory: images }));
    await store.check();
    await rm(images, { recursive: true });
    await expect(store.check()).rejects.toThrow('filesystem_store_datadir');
    expect(await readdir(directory)).toEqual([]);
    await mkdir(images);
    await store.check();
    expect(await readdir(images)).toEqual([]);
  });

  it('may have a name that URLs must encode', async () => {
    const odd = join(directory, 'a b%41#?é');
    await mkdir(odd);
    const url = await driver({ directory: odd }).write('one', chunked(bytes), { signal: never() });
    expect(url).toBe(pathToFileURL(join(odd, 'one')).href);
    expect(url).not.toContain(' ');
    for (const form of [url, `file://${odd}/one`, `filesystem://${odd}/one`]) {
      expect(await driver({ directory: odd }).size(form)).toBe(bytes.length);
    }
  });
});

describe('a file store keeps to its directory', () => {
  for (const id of ['', '.', '..', '../one', 'a/b', '/etc/passwd', '.hidden', 'a\0b', 'a\\b', 'x'.repeat(300), 'é']) {
    it(`refusing the id ${JSON.stringify(id.slice(0, 20))}`, async () => {
      const invalid = { code: 'Invalid' };
      await expect(driver().write(id, chunked(bytes), { signal: never() })).rejects.toMatchObject(invalid);
      await expect(driver().discard(id)).rejects.toMatchObject(invalid);
      expect(await readdir(directory)).toEqual([]);
    });
  }

  it('refusing locations elsewhere, however they are written', async () => {
    await mkdir(join(directory, 'images', 'sub'), { recursive: true });
    for (const name of ['secret', 'images/one', 'images/.hidden', 'images/sub/two']) {
      await writeFile(join(directory, name), 'x');
    }
    const store = driver({ directory: join(directory, 'images') });
    expect(await store.size(`file://${directory}/images/one`)).toBe(1);
    for (const path of [
      `${directory}/secret`,
      `${directory}/images/../secret`,
      `${directory}/images/%2e%2e/secret`,
      `${directory}/images%2F..%2Fsecret`,
      `${directory}/images/..%2Fsecret`,
      `${directory}/images/.hidden`,
      `${directory}/images/.`,
      `${directory}/images/..`,
      `${directory}/images/`,
      `${directory}/images`,
      `${directory}/images/sub/two`,
      `${directory}/imagesone`,
      'etc/passwd',
      '/etc/passwd',
    ]) {
      for (const url of [`file://${path}`, `filesystem://${path}`, `file:${path}`, path]) {
        const bad = { code: 'BadLocation' };
        await expect(store.read(url, { offset: 0, signal: never() })).rejects.toMatchObject(bad);
        await expect(store.size(url)).rejects.toMatchObject(bad);
        await expect(store.delete(url)).rejects.toMatchObject(bad);
      }
    }
    expect(await readFile(join(directory, 'secret'), 'utf8')).toBe('x');
  });

  it('refusing what is not a file', async () => {
    await mkdir(join(directory, 'one'));
    execFileSync('mkfifo', [join(directory, 'two')]);
    for (const name of ['one', 'two']) {
      const reading = driver().read(`file://${directory}/${name}`, { offset: 0, signal: never() });
      await expect(reading).rejects.toMatchObject({ code: 'BadLocation' });
    }
  });

  it('following links that its operator made', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'glance-elsewhere-'));
    await writeFile(join(elsewhere, 'file'), 'x');
    await symlink(join(elsewhere, 'file'), join(directory, 'one'));
    expect(await driver().size(`file://${directory}/one`)).toBe(1);
    await driver().delete(`file://${directory}/one`);
    expect(await readdir(elsewhere)).toEqual(['file']);
    await rm(elsewhere, { recursive: true });
  });
});

describe('the file of an image', () => {
  it('has the permissions that were asked for', async () => {
    await driver({ mode: 0o640 }).write('one', chunked(bytes), { signal: never() });
    expect((await stat(join(directory, 'one'))).mode & 0o777).toBe(0o640);
  });

  it('has holes for zeros if wanted, wherever chunks begin', async () => {
    const zeros = Buffer.alloc(8 * 1024 * 1024);
    const image = Buffer.concat([zeros, bytes, zeros, Buffer.from('x'), zeros]);
    for (const [id, sparse] of [
      ['thick', false],
      ['thin', true],
    ] as const) {
      const url = await driver({ sparse }).write(id, chunked(image, 100_003), { signal: never() });
      const { data } = await driver().read(url, { offset: 0, signal: never() });
      expect((await collect(data)).equals(image)).toBe(true);
    }
    const [thick, thin] = [await stat(join(directory, 'thick')), await stat(join(directory, 'thin'))];
    expect(thin.size).toBe(thick.size);
    expect(thick.blocks * 512).toBeGreaterThan(24 * 1024 * 1024);
    expect(thin.blocks * 512).toBeLessThan(1024 * 1024);
  });

  it('appears only when it is complete', async () => {
    const source = stalling(bytes);
    const writing = driver().write('one', source.data, { signal: never() });
    await source.reached;
    expect(await readdir(directory)).toEqual(['.one.part']);
    source.resume();
    await writing;
    expect(await readdir(directory)).toEqual(['one']);
  });

  it('is whole when it was brought to the disk in several steps', async () => {
    const mib = content(1024 * 1024);
    async function* data(): Bytes {
      for (let count = 0; count < 150; count++) yield mib;
    }
    const url = await driver({ durable: true }).write('one', data(), { signal: never() });
    const read = await driver({ chunkSize: mib.length }).read(url, { offset: 0, signal: never() });
    expect(read.size).toBe(150 * mib.length);
    for await (const chunk of read.data) expect(mib.equals(chunk)).toBe(true);
  });

  it('is not overwritten when another program put it there meanwhile', async () => {
    await writeFile(join(directory, 'one'), 'theirs');
    const write = driver().write('one', chunked(bytes), { signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'DataExists' });
    expect(await readFile(join(directory, 'one'), 'utf8')).toBe('theirs');
    expect(await readdir(directory)).toEqual(['one']);
  });
});

describe('what a process that died left', () => {
  it('keeps others from the id until it is discarded', async () => {
    await mkdir(join(directory, '.one.part'));
    await writeFile(join(directory, '.one.part', 'half'), 'x');
    const write = (): Promise<string> => driver().write('one', chunked(bytes), { signal: never() });
    await expect(write()).rejects.toMatchObject({ code: 'DataExists' });
    await driver().discard('one');
    expect(await readdir(directory)).toEqual([]);
    expect(await write()).toBe(`file://${directory}/one`);
  });

  it('between publishing and tidying up goes with the image', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    await mkdir(join(directory, '.one.part'));
    await driver().delete(url);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('a file that is read', () => {
  it('is not open before the first pull, and not after the last', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    const before = await openDescriptors();
    const reads = Array.from({ length: 50 }, () => driver().read(url, { offset: 0, signal: never() }));
    const [first, second] = await Promise.all(reads);
    expect(await openDescriptors()).toBe(before);
    for await (const _ of first!.data) {
      expect(await openDescriptors()).toBe(before + 1);
      break;
    }
    expect(await openDescriptors()).toBe(before);
    await collect(second!.data);
    expect(await openDescriptors()).toBe(before);
  });

  it('is closed when its signal fires while nobody pulls', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    const before = await openDescriptors();
    const stop = new AbortController();
    const { data } = await new Store(driver()).read(url, { signal: stop.signal });
    await data[Symbol.asyncIterator]().next();
    expect(await openDescriptors()).toBe(before + 1);
    stop.abort();
    await expect.poll(openDescriptors).toBe(before);
  });

  it('streams to its end when it is deleted meanwhile', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    const { data } = await driver({ chunkSize: 4096 }).read(url, { offset: 0, signal: never() });
    const received: Buffer[] = [];
    for await (const chunk of data) {
      if (received.length === 0) await driver().delete(url);
      received.push(Buffer.from(chunk));
    }
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
  });

  it('is not found when it vanishes between the look and the first pull', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    const { data } = await driver().read(url, { offset: 0, signal: never() });
    await driver().delete(url);
    await expect(collect(data)).rejects.toMatchObject({ code: 'DataNotFound' });
  });

  it('fails when it becomes shorter', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    const { data } = await driver().read(url, { offset: 0, signal: never() });
    await writeFile(join(directory, 'one'), 'short');
    await expect(collect(data)).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });

  it('is read ahead into other memory than the consumer has', async () => {
    const url = await driver().write('one', chunked(bytes), { signal: never() });
    const { data } = await driver({ chunkSize: 4096 }).read(url, { offset: 0, signal: never() });
    let position = 0;
    for await (const chunk of data) {
      // Time enough for the read of the next chunk to end.
      await stat(directory);
      expect(bytes.subarray(position, position + chunk.length).equals(chunk)).toBe(true);
      position += chunk.length;
    }
    expect(position).toBe(bytes.length);
  });
});

/** Mounts a file system of 4 MiB on `images`. The tests run as root wherever a merge depends on them. */
describe.runIf(isRoot)('a file system that is full', () => {
  beforeEach(async () => {
    await mkdir(join(directory, 'images'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', join(directory, 'images')]);
  });
  afterEach(() => {
    execFileSync('umount', [join(directory, 'images')]);
  });

  async function* large(): Bytes {
    for (let chunk = 0; chunk < 20; chunk++) yield bytes;
  }

  for (const durable of [true, false]) {
    it(`fails the write, which leaves nothing${durable ? '' : ', also without fsync'}`, async () => {
      const images = join(directory, 'images');
      const store = new Store(driver({ directory: images, durable }));
      const write = store.write({ id: 'one', data: large(), maxSize: 1e9, signal: never() });
      await expect(write).rejects.toMatchObject({ code: 'StorageFull' });
      expect(await readdir(images)).toEqual([]);
      const smaller = await store.write({ id: 'one', data: chunked(bytes), maxSize: 1e9, signal: never() });
      expect(smaller.size).toBe(bytes.length);
    });
  }

  it('that is read-only is denied', async () => {
    const images = join(directory, 'images');
    execFileSync('mount', ['-o', 'remount,ro', images]);
    await expect(driver({ directory: images }).open()).rejects.toMatchObject({ code: 'StorageDenied' });
    const write = new Store(driver({ directory: images })).write({
      id: 'one',
      data: chunked(bytes),
      maxSize: 1e9,
      signal: never(),
    });
    await expect(write).rejects.toMatchObject({ code: 'StorageDenied' });
  });
});
