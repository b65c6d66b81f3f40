import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../../../../../tools/services/ceph.js';
import type { Bytes } from '../../bytes.js';
import { Store } from '../../store.js';
import { chunked, collect, content, never, stalling } from '../../testing/content.js';
import { RbdDriver } from './rbd-driver.js';

const mib = 1024 * 1024;
const bytes = content(40 * mib);
const unavailable = { code: 'StoreUnavailable' };
let ceph: Ceph;

beforeAll(async () => {
  ceph = await startCeph();
  // As for a client that died: Ceph forgets it after half a minute otherwise.
  await ceph.ceph('config', 'set', 'osd', 'osd_client_watch_timeout', '3');
});

afterAll(async () => {
  await ceph.close();
});

function newDriver(timeout?: number): RbdDriver {
  const times = { connectTimeout: timeout, operationTimeout: timeout };
  const cluster = { conf: ceph.conf, user: 'glance', ...times };
  return new RbdDriver({ cluster, pool: 'images', order: 23, sparse: true });
}

async function images(): Promise<string[]> {
  return (await ceph.rbd('ls', 'images')).split('\n').filter(Boolean);
}

async function roundTrip(driver: RbdDriver): Promise<void> {
  const url = await driver.write(randomUUID(), chunked(bytes, mib), { size: undefined, signal: never() });
  const { data } = await driver.read(url, { offset: 0, signal: never() });
  expect((await collect(data)).equals(bytes)).toBe(true);
  await driver.delete(url);
}

/** `bytes`, with `pause` after a third of it. */
async function* interrupted(pause: () => Promise<void>): Bytes {
  yield* chunked(bytes.subarray(0, 14 * mib), mib);
  await pause();
  yield* chunked(bytes.subarray(14 * mib), mib);
}

describe('a Ceph cluster in trouble', { timeout: 60_000 }, () => {
  it('gets all of an image whose OSD is killed and started again while it arrives', async () => {
    const driver = newDriver();
    const killedAndStarted = Promise.withResolvers<void>();
    const data = interrupted(async () => {
      await ceph.osd.kill();
      ceph.osd.start().then(killedAndStarted.resolve, killedAndStarted.reject);
    });
    const url = await driver.write(randomUUID(), data, { size: bytes.length, signal: never() });
    await killedAndStarted.promise;
    const read = await driver.read(url, { offset: 0, signal: never() });
    expect((await collect(read.data)).equals(bytes)).toBe(true);
    await driver.delete(url);
    await driver.close();
  });

  it('that hangs makes the store unavailable in time, holds up nothing else, and is used again afterwards', async () => {
    const driver = newDriver(1000);
    const store = new Store(driver);
    const url = await driver.write(randomUUID(), chunked(bytes, mib), { size: undefined, signal: never() });
    const hung = interrupted(async () => ceph.osd.signal('SIGSTOP'));
    const id = randomUUID();
    const started = performance.now();
    const late = { message: expect.any(String) as string, details: { leftovers: true } };
    await expect(store.write({ id, data: hung, maxSize: Infinity, signal: never() })).rejects.toMatchObject(late);
    const attempts = Array.from({ length: 20 }, () => [
      expect(store.read(url, { signal: never() })).rejects.toMatchObject(unavailable),
      expect(store.write({ id: randomUUID(), data: chunked(bytes), maxSize: Infinity, signal: never() })).rejects.toBeInstanceOf(Error), // prettier-ignore
    ]);
    const asked = performance.now();
    await stat(import.meta.filename);
    expect(performance.now() - asked).toBeLessThan(500);
    await Promise.all(attempts.flat());
    expect(performance.now() - started).toBeLessThan(25_000);
    ceph.osd.signal('SIGCONT');
    await expect.poll(() => driver.size(url).catch(String), { timeout: 20_000 }).toBe(bytes.length);
    await driver.discard(id, never());
    expect(await images()).not.toContain(id);
    await roundTrip(driver);
    await driver.delete(url);
    await driver.close();
  });

  it('whose monitors are not there makes the store unavailable, and is connected to when they are', async () => {
    await ceph.mon.kill();
    const driver = newDriver(1000);
    const started = performance.now();
    await expect(driver.open()).rejects.toMatchObject(unavailable);
    await expect(driver.size('rbd://f/images/one/snap')).rejects.toMatchObject(unavailable);
    expect(performance.now() - started).toBeLessThan(5000);
    await ceph.mon.start();
    await expect.poll(() => driver.open().then(() => 'open', String), { timeout: 20_000 }).toBe('open');
    await roundTrip(driver);
    await driver.close();
  });

  it('whose monitors go away later answers or fails in time, and works when they are back', async () => {
    const driver = newDriver(2000);
    const url = await driver.write(randomUUID(), chunked(bytes, mib), { size: undefined, signal: never() });
    await ceph.mon.kill();
    const started = performance.now();
    await driver.size(url).catch((error: unknown) => expect(error).toMatchObject(unavailable));
    await roundTrip(driver).catch((error: unknown) => expect(error).toMatchObject(unavailable));
    expect(performance.now() - started).toBeLessThan(15_000);
    await ceph.mon.start();
    await expect.poll(() => driver.size(url).catch(String), { timeout: 20_000 }).toBe(bytes.length);
    await roundTrip(driver);
    await driver.close();
  });

  it('that is full says so, keeps nothing of what did not fit, and takes images when there is room', async () => {
    const driver = newDriver();
    await ceph.mgr.start();
    const before = await images();
    const filler = await driver.write(randomUUID(), chunked(bytes, mib), { size: undefined, signal: never() });
    await ceph.ceph('osd', 'pool', 'set-quota', 'images', 'max_bytes', String(20 * mib));
    const isFull = async (): Promise<boolean> =>
      (await ceph.ceph('osd', 'pool', 'ls', 'detail')).includes('full_quota');
    await expect.poll(isFull, { timeout: 20_000 }).toBe(true);
    const store = new Store(driver);
    const write = store.write({ id: randomUUID(), data: chunked(bytes, mib), maxSize: Infinity, signal: never() });
    await expect(write).rejects.toMatchObject({ code: 'StorageFull', details: {} });
    await driver.delete(filler);
    expect(await images()).toEqual(before);
    await ceph.ceph('osd', 'pool', 'set-quota', 'images', 'max_bytes', '0');
    await expect.poll(isFull, { timeout: 20_000 }).toBe(false);
    await roundTrip(driver);
    await ceph.mgr.kill();
    await driver.close();
  });

  it('keeps nothing of a writer that was killed, once that is discarded', async () => {
    const id = randomUUID();
    const script = `
      import { RbdDriver } from ${JSON.stringify(join(import.meta.dirname, 'rbd-driver.ts'))};
      const settings = { cluster: { conf: ${JSON.stringify(ceph.conf)}, user: 'glance' }, pool: 'images', order: 23, sparse: true };
      async function* data() {
        for (let n = 0; n < 20; n++) yield Buffer.alloc(1024 * 1024, 7);
        console.log('half');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      }
      await new RbdDriver(settings).write(${JSON.stringify(id)}, data(), { size: undefined, signal: new AbortController().signal });
    `;
    const hooks = join(import.meta.dirname, '../../../../../tools/bench/typescript.mjs');
    const args = [
      '--experimental-transform-types',
      '--conditions=glance-source',
      '--import',
      hooks,
      '--input-type=module',
      '--eval',
      script,
    ];
    const child = execFile(process.execPath, args, { cwd: import.meta.dirname });
    let errors = '';
    child.stderr!.on('data', (text: string) => (errors += text));
    await new Promise<void>((resolve, reject) => {
      child.stdout!.once('data', () => resolve());
      child.once('exit', () => reject(new Error(errors)));
    });
    expect(await images()).toContain(id);
    child.kill('SIGKILL');
    const driver = newDriver();
    const source = stalling(bytes);
    const again = driver.write(id, source.data, { size: undefined, signal: never() });
    await expect(again).rejects.toMatchObject({ code: 'DataExists' });
    await driver.discard(id, never());
    expect(await images()).not.toContain(id);
    await driver.close();
  });
});
