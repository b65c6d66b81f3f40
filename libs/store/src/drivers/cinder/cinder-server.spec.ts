import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bytes } from '../../bytes.js';
import type { StoreDriver } from '../../driver.js';
import { create, options } from '../cinder.js';
import { chunked, collect, content, never, stalling } from '../../testing/content.js';
import { settingsOf } from '../../testing/settings.js';
import { type WebServer, webServer } from '../../testing/web-server.js';
import { type Ceph, startCeph } from '../../../../../tools/services/ceph.js';
import {
  type Cinder,
  cinderPackages,
  cinderShare,
  cinderToken,
  startCinder,
} from '../../../../../tools/services/cinder.js';
import { installDebianPackages } from '../../../../../tools/services/debian-packages.js';
import { type Rabbitmq, startRabbitmq } from '../../../../../tools/services/rabbitmq.js';

let ceph: Ceph;
let rabbit: Rabbitmq;
let cinder: Cinder;
let keystone: WebServer;
let base = '';
let place = '';
const bytes = content(3_000_000);

beforeAll(async () => {
  installDebianPackages(...cinderPackages);
  [rabbit, ceph] = await Promise.all([startRabbitmq(), startCeph()]);
  await ceph.mgr.start();
  cinder = await startCinder({ rabbit: rabbit.url, ceph });
  keystone = await webServer((request, response) => {
    // Stands in for Keystone: Cinder runs without one.
    request.resume().on('end', () => {
      const expires_at = new Date(Date.now() + 3_600_000).toISOString();
      const catalog = [{ type: 'volumev3', endpoints: [{ interface: 'public', url: cinder.url }] }];
      response.writeHead(201, { 'x-subject-token': cinderToken });
      response.end(JSON.stringify({ token: { expires_at, project: { id: 'p' }, catalog } }));
    });
  });
  base = mkdtempSync(join(tmpdir(), 'glance-cinder-'));
  place = join(base, 'nfs', createHash('sha256').update(cinderShare).digest('hex'));
  mkdirSync(place, { recursive: true });
  execFileSync('mount', ['--bind', cinder.share, place]);
}, 600_000);
afterAll(async () => {
  execFileSync('umount', ['-l', place]);
  rmSync(base, { recursive: true });
  await keystone.close();
  await cinder.close();
  await rabbit.close();
  await ceph.close();
}, 120_000);

const driver = (type: string): StoreDriver =>
  create(
    settingsOf(options, {
      cinderStoreAuthAddress: keystone.url,
      cinderStoreUserName: 'glance',
      cinderStorePassword: 'any',
      cinderStoreProjectName: 'service',
      cinderVolumeType: type,
      cinderMountPointBase: base,
    }),
  );

for (const type of ['ceph', 'nfs']) {
  describe(`Cinder with volumes of the type ${type}`, () => {
    it('stores an image once, reads it, lists it and deletes it', async () => {
      const store = driver(type);
      await store.open();
      const id = randomUUID();
      const url = await store.write(id, chunked(bytes), { size: bytes.length, owner: 'me', signal: never() });
      expect(await store.size(url, never())).toBe(bytes.length);
      const read = await store.read(url, { offset: 1000, length: 2_000_000, signal: never() });
      expect((await collect(read.data)).equals(bytes.subarray(1000, 2_001_000))).toBe(true);
      const again = store.write(id, chunked(bytes), { size: bytes.length, signal: never() });
      await expect(again).rejects.toMatchObject({ code: 'DataExists' });
      const ids: string[] = [];
      for await (const each of store.ids!(never())) ids.push(each);
      expect(ids).toEqual([id]);
      expect(await store.holding!(id, never())).toMatchObject({ objects: 1, bytes: bytes.length });
      await store.delete(url, never());
      await expect(store.size(url, never())).rejects.toMatchObject({ code: 'DataNotFound' });
      await store.close();
    });
    it('extends the volume of an image whose size nobody knows', async () => {
      const store = driver(type);
      const gib = 1024 ** 3;
      const zeros = Buffer.alloc(64 * 1024 * 1024);
      async function* data(): Bytes {
        for (let sent = 0; sent < gib; sent += zeros.length) yield zeros;
        yield bytes;
      }
      const url = await store.write(randomUUID(), data(), { size: undefined, signal: never() });
      const { size, data: rest } = await store.read(url, { offset: gib, signal: never() });
      expect(size).toBe(gib + bytes.length);
      expect((await collect(rest)).equals(bytes)).toBe(true);
      await store.delete(url, never());
      await store.close();
    });
    it('stops an upload that is discarded, and lets one of several succeed', async () => {
      const store = driver(type);
      const id = randomUUID();
      const source = stalling(bytes);
      const writing = store.write(id, source.data, { size: bytes.length, signal: never() });
      await source.reached;
      await store.discard(id, never());
      source.resume();
      await expect(writing).rejects.toMatchObject({ code: 'Cancelled' });
      expect(await store.holding!(id, never())).toBeUndefined();
      const writes = [1, 2, 3].map((seed) =>
        store.write(id, chunked(content(300_000, seed)), { size: 300_000, signal: never() }),
      );
      const outcomes = await Promise.allSettled(writes);
      const said = outcomes.map((each) => (each.status === 'fulfilled' ? 'stored' : String(each.reason)));
      expect(
        said.filter((each) => each === 'stored'),
        said.join('\n'),
      ).toHaveLength(1);
      await store.discard(id, never());
      await store.close();
    });
  });
}
