import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoreDriver } from '../../driver.js';
import { Store } from '../../store.js';
import { chunked, collect, content, never } from '../../testing/content.js';
import { newCertificate, type Seen } from '../../testing/faulty-proxy.js';
import { vcenterUser } from '../../testing/vcenter.js';
import { type VmwareServer, vmwareServer } from '../../testing/vmware-server.js';
import type { VmwareSettings } from '../vmware.js';

const certificate = newCertificate();
const bytes = content(300_000);
let server: VmwareServer;
let drivers: StoreDriver[] = [];

beforeAll(async () => {
  server = await vmwareServer(certificate);
});
beforeEach(() => server.vcenter.nodes.clear());
afterEach(async () => {
  server.proxy.breakWith(() => undefined);
  server.vcenter.ranges = true;
  Object.assign(server.vcenter.free, { fast: 1e12, slow: 2e12 });
  await Promise.all(drivers.map((each) => each.close()));
  drivers = [];
});
afterAll(() => server.close());

async function driver(changes: Partial<VmwareSettings> = {}): Promise<StoreDriver> {
  const made = server.driver(changes);
  drivers.push(made);
  await made.open();
  return made;
}

const write = (to: StoreDriver, size: number | 'unknown' = bytes.length, id = randomUUID()): Promise<string> =>
  to.write(id, chunked(bytes), { size: size === 'unknown' ? undefined : size, signal: never() });

async function read(from: StoreDriver, url: string, offset = 0): Promise<boolean> {
  const { data } = await from.read(url, { offset, signal: never() });
  return (await collect(data)).equals(bytes.subarray(offset));
}

const names = (): string[] => [...server.vcenter.nodes.keys()].sort();
const empty = ['[fast] openstack_glance', '[slow] openstack_glance'];

function first(times: number, of: (request: Seen) => boolean): (request: Seen) => boolean {
  let seen = 0;
  return (request) => of(request) && ++seen <= times;
}

/** The PUT of an image, after that of an empty file. */
const isData = ({ method, headers }: Seen): boolean => method === 'PUT' && headers['content-length'] !== '0';
const isDownload = ({ method }: Seen): boolean => method === 'GET';

describe('an image in a datastore', () => {
  it('is where Glance writes it', async () => {
    const url = await write(await driver(), 'unknown', '0123ABCD-4567-89ab-cdef-000000000001');
    expect(url).toBe(
      `vsphere://${new URL(server.proxy.url).host}/folder/openstack_glance/0123ABCD-4567-89ab-cdef-000000000001` +
        '?dsName=fast&dcPath=Europe%2FDC1',
    );
    expect(names()).toEqual([
      '[fast] openstack_glance',
      '[fast] openstack_glance/0123ABCD-4567-89ab-cdef-000000000001',
      '[slow] openstack_glance',
    ]);
  });

  it('is in the datastore of the highest weight that has room, or else in the roomiest', async () => {
    const weighted = await driver();
    server.vcenter.free['fast'] = 1000;
    expect(await write(weighted)).toContain('dsName=slow');
    expect(await write(weighted, 'unknown')).toContain('dsName=fast');
    const even = await driver({ vmwareDatastores: ['Europe/DC1:fast', 'Europe/DC1:slow'] });
    expect(await write(even)).toContain('dsName=slow');
    server.vcenter.free['slow'] = 1000;
    await expect(write(even)).rejects.toMatchObject({ code: 'StorageFull' });
    expect(await even.capacity!()).toEqual({ total: 6e12, available: 2000 });
  });

  it('is stored once, whatever datastore has the most room', async () => {
    const even = await driver({ vmwareDatastores: ['Europe/DC1:fast', 'Europe/DC1:slow'] });
    const id = randomUUID();
    await write(even, 'unknown', id);
    server.vcenter.free['fast'] = 3e12;
    await expect(write(even, 'unknown', id)).rejects.toMatchObject({ code: 'DataExists' });
    await even.discard(id, never());
    expect(names()).toEqual(empty);
  });

  it('is read by Glance’s locations of it, whichever order they have', async () => {
    const from = await driver();
    const url = await write(from);
    const [path] = url.split('?');
    expect(await read(from, `${path}?dcPath=Europe%2FDC1&dsName=fast`)).toBe(true);
    expect(await read(from, `${path}?dsName=fast&dcPath=Europe/DC1`)).toBe(true);
  });

  it('may be registered by clients only where the store writes', async () => {
    const store = await driver();
    const url = await write(store);
    expect(store.accepts!(url)).toBe(true);
    for (const other of [
      url.replace('openstack_glance', 'machines'),
      url.replace('openstack_glance', 'openstack_glance/..'),
      url.replace('fast', 'other'),
      url.replace('127.0.0.1', '127.0.0.2'),
      url.replace('openstack_glance/', 'openstack_glance/.'),
    ]) {
      expect(store.accepts!(other)).toBe(false);
    }
    const away = url.replace('127.0.0.1', '127.0.0.2');
    await expect(store.size(away, never())).rejects.toMatchObject({ code: 'BadLocation' });
  });
});

describe('a session', () => {
  it('is begun once, and ended with the store', async () => {
    const { vcenter } = server;
    const before = vcenter.logins;
    const store = await driver();
    await Promise.all([write(store), write(store), write(store)]);
    expect(vcenter.logins - before).toBe(1);
    expect(vcenter.sessions).toBe(1);
    await store.close();
    expect(vcenter.sessions).toBe(0);
  });

  it('that has ended is begun anew, for methods and for files', async () => {
    const store = await driver();
    server.vcenter.endSessions();
    const url = await write(store);
    server.vcenter.endSessions();
    expect(await read(store, url)).toBe(true);
    server.vcenter.endSessions();
    await store.delete(url, never());
  });

  it('needs a user and a password that are accepted', async () => {
    const wrong = server.driver({ vmwareServerPassword: 'wrong' });
    drivers.push(wrong);
    await expect(wrong.open()).rejects.toMatchObject({ code: 'StorageDenied' });
    await expect(wrong.open()).rejects.toThrow('vmware_server_password');
    await expect(wrong.open()).rejects.not.toThrow(vcenterUser.password);
  });

  it('needs a server whose certificate can be trusted', async () => {
    const strict = server.driver({ vmwareCaFile: undefined, vmwareApiRetryCount: 1 });
    drivers.push(strict);
    await expect(strict.open()).rejects.toThrow('vmware_ca_file');
    await driver({ vmwareCaFile: undefined, vmwareInsecure: true });
  });
});

describe('options that are wrong', () => {
  it('are named', async () => {
    expect(() => server.driver({ vmwareDatastores: [] })).toThrow('vmware_datastores');
    expect(() => server.driver({ vmwareServerHost: undefined })).toThrow('vmware_server_host');
    expect(() => server.driver({ vmwareCaFile: '/nowhere' })).toThrow('vmware_ca_file');
    await expect(driver({ vmwareDatastores: ['Europe/DC1:other'] })).rejects.toThrow('has no datastore other');
    await expect(driver({ vmwareDatastores: ['Asia:fast'] })).rejects.toThrow('has no datacenter Asia');
  });
});

describe('an upload to a datastore', () => {
  const failing = async (store: StoreDriver): Promise<unknown> =>
    new Store(store).write({ id: randomUUID(), data: chunked(bytes), maxSize: 1e9, signal: never() });

  it('that breaks in the middle fails, and leaves nothing', async () => {
    const store = await driver();
    server.proxy.breakWith((request) => (isData(request) ? { kind: 'cutRequest', after: 100_000 } : undefined));
    await expect(failing(store)).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(names()).toEqual(empty);
  });

  it('for which there is no room says so, and leaves nothing', async () => {
    const store = await driver();
    server.proxy.breakWith((request) => (isData(request) ? { kind: 'answer', status: 507 } : undefined));
    await expect(failing(store)).rejects.toMatchObject({ code: 'StorageFull' });
    expect(names()).toEqual(empty);
  });

  it('has succeeded when the answer to its publication is lost', async () => {
    const store = await driver();
    let sent = false;
    const lost = first(1, ({ url }) => sent && url === '/sdk');
    server.proxy.breakWith((request) => {
      if (lost(request)) return { kind: 'loseAnswer' };
      sent ||= isData(request);
      return undefined;
    });
    const url = await write(store);
    server.proxy.breakWith(() => undefined);
    expect(await read(store, url)).toBe(true);
    expect(names()).toHaveLength(3);
  });

  it('leaves nothing when its publication was never begun', async () => {
    const store = await driver();
    let sent = false;
    const refused = first(1, ({ url }) => sent && url === '/sdk');
    server.proxy.breakWith((request) => {
      if (refused(request)) return { kind: 'answer', status: 503 };
      sent ||= isData(request);
      return undefined;
    });
    await expect(failing(store)).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(names()).toEqual(empty);
  });

  it('finds a directory that has gone, and does not make it anew', async () => {
    const store = await driver();
    server.vcenter.nodes.clear();
    await expect(write(store)).rejects.toThrow('vmware_store_image_dir');
    await expect(store.open()).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(names()).toEqual([]);
  });
});

describe('a download from a datastore', () => {
  for (const ranges of [true, false]) {
    it(`that breaks goes on with the byte that is missing, ${ranges ? 'with' : 'without'} ranges`, async () => {
      const store = await driver();
      const url = await write(store);
      server.vcenter.ranges = ranges;
      const chosen = first(2, isDownload);
      server.proxy.breakWith((request) => (chosen(request) ? { kind: 'cutAnswer', after: 100_000 } : undefined));
      expect(await read(store, url)).toBe(true);
    });
  }

  it('may begin anywhere, also where the server sends everything', async () => {
    const store = await driver();
    const url = await write(store);
    server.vcenter.ranges = false;
    expect(await read(store, url, 123_456)).toBe(true);
  });

  it('is repeated where the server is busy', async () => {
    const store = await driver();
    const url = await write(store);
    const chosen = first(2, ({ method }) => method === 'GET' || method === 'HEAD');
    server.proxy.breakWith((request) => (chosen(request) ? { kind: 'answer', status: 503 } : undefined));
    expect(await read(store, url)).toBe(true);
  });
});

describe('foreign things in the directory', () => {
  it('are nobody’s image', async () => {
    const store = await driver();
    const id = randomUUID();
    server.vcenter.nodes.set(`[fast] openstack_glance/${id}`, { modified: new Date() });
    server.vcenter.nodes.set('[fast] openstack_glance/notes.txt', { bytes, modified: new Date() });
    const listed: string[] = [];
    for await (const each of store.ids!(never())) listed.push(each);
    expect(listed).toEqual([]);
    expect(await store.holding!(id, never())).toBeUndefined();
  });
});
