import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StoreDriver } from '../../driver.js';
import { Store } from '../../store.js';
import { chunked, collect, content, never, stalling } from '../../testing/content.js';
import { type FaultyProxy, faultyProxy, type Seen } from '../../testing/faulty-proxy.js';
import { openstackSwift, type SwiftAccount, swiftAccount, swiftSettings } from '../../testing/swift-servers.js';
import { create, type SwiftSettings } from '../swift.js';

const mib = 1024 * 1024;
const bytes = content(3 * mib + 5);
const server = openstackSwift();
let proxy: FaultyProxy;
let account: SwiftAccount;
let directory: string;
let drivers: StoreDriver[] = [];

beforeAll(async () => {
  proxy = await faultyProxy(server.origin);
  account = await swiftAccount(server);
  directory = await mkdtemp(join(tmpdir(), 'glance-swift-'));
});
afterEach(async () => {
  proxy.breakWith(() => undefined);
  proxy.requests.length = 0;
  await Promise.all(drivers.map((each) => each.close()));
  drivers = [];
});
afterAll(async () => {
  await proxy.close();
  await rm(directory, { recursive: true });
});

function driver(changes: Partial<SwiftSettings> = {}): StoreDriver {
  const made = create(swiftSettings(server, { swiftStoreLargeObjectChunkSize: 1, ...changes }));
  drivers.push(made);
  return made;
}

/** Its storage is behind the proxy, its log-in is not. */
const throughProxy = (changes: Partial<SwiftSettings> = {}): StoreDriver =>
  driver({ swiftStoreEndpoint: account.url.replace(server.origin, proxy.url), ...changes });

const write = (to: StoreDriver, id = randomUUID(), owner?: string): Promise<string> =>
  to.write(id, chunked(bytes), { size: bytes.length, owner, signal: never() });

async function read(from: StoreDriver, url: string): Promise<boolean> {
  const { data } = await from.read(url, { offset: 0, signal: never() });
  return (await collect(data)).equals(bytes);
}

const isSegment = ({ method, url }: Seen): boolean => method === 'PUT' && /-0000\d$/.test(url);
const isList = ({ url }: Seen): boolean => url.includes('multipart-manifest=put');
const isData = ({ method, url }: Seen): boolean => method === 'GET' && !url.endsWith('.upload');

function first(times: number, of: (request: Seen) => boolean): (request: Seen) => boolean {
  let seen = 0;
  return (request) => of(request) && ++seen <= times;
}

describe('an upload to Swift', () => {
  it('that breaks in the middle of a segment fails, and leaves nothing', async () => {
    const to = throughProxy();
    await to.open();
    const before = await account.contents();
    const chosen = first(1, ({ url }) => url.endsWith('-00002'));
    proxy.breakWith((request) => (chosen(request) ? { kind: 'cutRequest', after: 100_000 } : undefined));
    const writing = new Store(to).write({ id: randomUUID(), data: chunked(bytes), maxSize: 1e9, signal: never() });
    await expect(writing).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(await account.contents()).toEqual(before);
  });

  it('goes on when its segments wait in files, of which none stays', async () => {
    const to = throughProxy({ swiftBufferOnUpload: true, swiftUploadBufferDir: directory });
    const chosen = first(2, isSegment);
    proxy.breakWith((request) => (chosen(request) ? { kind: 'cutRequest', after: 100_000 } : undefined));
    expect(await read(driver(), await write(to))).toBe(true);
    expect(await readdir(directory)).toEqual([]);
  });

  it('has succeeded when only the last answer is lost', async () => {
    const chosen = first(1, isList);
    proxy.breakWith((request) => (chosen(request) ? { kind: 'loseAnswer' } : undefined));
    expect(await read(driver(), await write(throughProxy()))).toBe(true);
  });

  it('is repeated where Swift is busy', async () => {
    const chosen = first(3, ({ method }) => method !== 'PUT');
    proxy.breakWith((request) => (chosen(request) ? { kind: 'answer', status: 503 } : undefined));
    expect(await read(driver(), await write(throughProxy()))).toBe(true);
  });

  it('that Swift has no room for says so', async () => {
    proxy.breakWith((request) => (isSegment(request) ? { kind: 'answer', status: 507 } : undefined));
    await expect(write(throughProxy())).rejects.toMatchObject({ code: 'StorageFull' });
  });

  it('lies in a container of the first digits of its id', async () => {
    const to = driver({ swiftStoreMultipleContainersSeed: 9 });
    const url = await write(to, '0123ABCD-4567-89ab-cdef-000000000001');
    expect(url).toBe('swift+config://ref1/glance_0123abcd-4/0123ABCD-4567-89ab-cdef-000000000001');
    expect(await read(driver(), url)).toBe(true);
    await to.delete(url, never());
  });
});

describe('a download from Swift', () => {
  it('that breaks goes on with the byte that is missing', async () => {
    const from = throughProxy();
    const url = await write(from);
    const chosen = first(2, isData);
    proxy.breakWith((request) => (chosen(request) ? { kind: 'cutAnswer', after: mib } : undefined));
    expect(await read(from, url)).toBe(true);
    const ranges = proxy.requests.filter(isData).map(({ headers }) => headers.range);
    expect(ranges.slice(-2)).toEqual([`bytes=${mib}-${bytes.length - 1}`, `bytes=${2 * mib}-${bytes.length - 1}`]);
  });

  it('ends there with swift_store_retry_get_count = 0', async () => {
    const from = throughProxy({ swiftStoreRetryGetCount: 0 });
    const url = await write(from);
    proxy.breakWith((request) => (isData(request) ? { kind: 'cutAnswer', after: mib } : undefined));
    await expect(read(from, url)).rejects.toThrow();
  });

  it('gets a new token when the one it has is refused', async () => {
    const from = throughProxy();
    const url = await write(from);
    const chosen = first(1, isData);
    proxy.breakWith((request) => (chosen(request) ? { kind: 'answer', status: 401 } : undefined));
    expect(await read(from, url)).toBe(true);
  });

  it('finds what an older version has written with its password in the location', async () => {
    const url = await write(driver());
    const [id] = url.split('/').slice(-1);
    const { host } = new URL(server.origin);
    const old = `swift+http://service%3Aglance:secret@${host}/auth/v1.0/glance/${id}`;
    expect(await read(driver(), old)).toBe(true);
    expect(driver().accepts!(old)).toBe(false);
    const renewed = driver().canonical!(old)!;
    expect(renewed).toBe(url);
    expect(await read(driver(), renewed)).toBe(true);
    const foreign = old.replace('service', 'somebody');
    expect(driver().canonical!(foreign)).toBeUndefined();
    await expect(driver().size(foreign, never())).rejects.toMatchObject({ code: 'BadLocation' });
  });

  it('finds the segments that an older version has listed by their names, and deletes them', async () => {
    const id = randomUUID();
    await driver().open();
    const before = await account.contents();
    await account.ask('PUT', `/glance/${id}-00001`, {}, bytes.subarray(0, mib));
    await account.ask('PUT', `/glance/${id}-00002`, {}, bytes.subarray(mib));
    await account.ask('PUT', `/glance/${id}`, { 'x-object-manifest': `glance/${id}-` }, Buffer.alloc(0));
    const url = `swift+config://ref1/glance/${id}`;
    expect(await read(driver(), url)).toBe(true);
    await driver().delete(url, never());
    expect(await account.contents()).toEqual(before);
  });
});

describe('the accounts of projects', () => {
  const multiTenant = { swiftStoreMultiTenant: true };

  it('have their images, each in a container that goes with it', async () => {
    const to = driver(multiTenant);
    const id = randomUUID();
    const project = await swiftAccount(server, 'p1');
    const url = await write(to, id, 'p1');
    expect(url).toBe(`swift+${project.url}/glance_${id}/${id}`);
    expect(await read(driver(multiTenant), url)).toBe(true);
    await expect(write(to, id, 'p1')).rejects.toMatchObject({ code: 'DataExists' });
    await to.delete(url, never());
    expect(await project.contents()).toEqual([]);
    expect((await account.contents()).filter((name) => name.includes(id))).toEqual([]);
  });

  it('lose what an interrupted upload has left, although nobody says whose it was', async () => {
    const id = randomUUID();
    const project = await swiftAccount(server, 'p2');
    const source = stalling(bytes);
    const writing = driver(multiTenant).write(id, source.data, { size: bytes.length, owner: 'p2', signal: never() });
    await source.reached;
    await driver(multiTenant).discard(id, never());
    source.resume();
    await expect(writing).rejects.toBeInstanceOf(Error);
    expect(await project.contents()).toEqual([]);
    const url = await write(driver(multiTenant), id, 'p2');
    await driver(multiTenant).discard(id, never());
    await expect(driver(multiTenant).size(url, never())).rejects.toMatchObject({ code: 'DataNotFound' });
    expect(await project.contents()).toEqual([]);
  });

  it('let members read', async () => {
    const to = driver({ ...multiTenant, swiftStoreAdminTenants: ['ops'] });
    const id = randomUUID();
    const project = await swiftAccount(server, 'p3');
    const url = await write(to, id, 'p3');
    const rights = async (): Promise<(string | null)[]> => {
      const { headers } = await project.ask('HEAD', `/glance_${id}`);
      return [headers.get('x-container-read'), headers.get('x-container-write')];
    };
    expect(await rights()).toEqual([null, 'ops:*']);
    await to.share!(url, { everybody: false, projects: ['a', 'b'] }, never());
    expect(await rights()).toEqual(['a:*,b:*', 'ops:*']);
    await to.share!(url, { everybody: true, projects: ['a'] }, never());
    expect(await rights()).toEqual(['*:*', 'ops:*']);
    await to.delete(url, never());
  });

  it('are those of the own Swift only', async () => {
    const url = 'swift+https://elsewhere.example/v1/AUTH_p/glance_x/x';
    await expect(driver(multiTenant).size(url, never())).rejects.toMatchObject({ code: 'BadLocation' });
  });
});

describe('the file of accounts', () => {
  it('has those that locations name', async () => {
    const file = join(directory, 'accounts.conf');
    const [project, user] = server.user.split(':');
    const account = (name: string): string =>
      `[${name}]\nuser = ${project}:${user}\nkey = "${server.key}"\nauth_address = ${server.origin}/auth/v1.0\n`;
    await writeFile(file, account('new') + account('old'));
    const settings = { swiftStoreConfigFile: file, swiftStoreAuthAddress: undefined, defaultSwiftReference: 'new' };
    const url = await write(driver(settings));
    expect(url).toMatch(/^swift\+config:\/\/new\/glance\//);
    const old = url.replace('new', 'old');
    expect(await read(driver(settings), old)).toBe(true);
    expect(driver(settings).canonical!(old)).toBe(old);
    expect(driver(settings).canonical!(url.replace('new', 'other'))).toBeUndefined();
    const unknown = driver(settings).size(url.replace('new', 'other'), never());
    await expect(unknown).rejects.toMatchObject({ code: 'BadLocation' });
    expect(() => driver({ ...settings, defaultSwiftReference: 'none' })).toThrow('new, old');
    expect(() => driver({ ...settings, swiftStoreMultiTenant: true })).toThrow('swift_store_multi_tenant');
    await rm(file);
    expect(() => driver(settings)).toThrow('swift_store_config_file');
  });
});

describe('the start', () => {
  for (const [option, changes] of [
    ['swift_store_key', { swiftStoreKey: 'wrong' }],
    ['swift_store_user', { swiftStoreUser: 'nobody:here' }],
    ['swift_store_auth_address', { swiftStoreAuthAddress: `${server.origin}/nowhere` }],
    ['swift_store_container', { swiftStoreContainer: 'missing', swiftStoreCreateContainerOnPut: false }],
  ] as const) {
    it(`names ${option} when it is wrong`, async () => {
      const opening = driver(changes).open();
      await expect(opening).rejects.toMatchObject({ code: 'StorageDenied' });
      await expect(opening).rejects.toThrow(option);
    });
  }

  for (const [option, changes] of [
    ['swift_store_auth_address', { swiftStoreAuthAddress: undefined }],
    ['swift_store_user', { swiftStoreUser: 'no-project' }],
    ['swift_upload_buffer_dir', { swiftBufferOnUpload: true }],
    ['swift_store_cacert', { swiftStoreCacert: '/nowhere' }],
  ] as const) {
    it(`names ${option} when it is missing`, () => {
      expect(() => driver(changes)).toThrow(option);
    });
  }

  it('says so when nobody answers', async () => {
    const opening = driver({ swiftStoreAuthAddress: 'http://127.0.0.1:1/auth/v1.0' }).open();
    await expect(opening).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });
});
