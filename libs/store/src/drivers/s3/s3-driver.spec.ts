import { randomUUID } from 'node:crypto';
import { DeleteBucketCommand, ListPartsCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StoreDriver } from '../../driver.js';
import { Store } from '../../store.js';
import { chunked, collect, content, never, stalling } from '../../testing/content.js';
import { type FaultyProxy, faultyProxy, newCertificate, type Seen } from '../../testing/faulty-proxy.js';
import { contentsOf, radosgw as gateway, radosgwClient, radosgwSettings } from '../../testing/radosgw-s3.js';
import { create, type S3Settings } from '../s3.js';
import { S3Driver } from './s3-driver.js';

const mib = 1024 * 1024;
const bytes = content(13 * mib + 5);
const s3StoreBucket = 'faults';
const client = radosgwClient();
let proxy: FaultyProxy;
let drivers: StoreDriver[] = [];

beforeAll(async () => {
  proxy = await faultyProxy(gateway);
  await driver({ s3StoreHost: gateway }).open();
});
afterEach(async () => {
  proxy.breakWith(() => undefined);
  await Promise.all(drivers.map((each) => each.close()));
  drivers = [];
});
afterAll(async () => {
  await proxy.close();
  client.destroy();
});

function driver(changes: Partial<S3Settings> = {}): StoreDriver {
  const small = { s3StoreBucket, s3StoreLargeObjectChunkSize: 5 };
  const made = create(radosgwSettings({ s3StoreHost: proxy.url, ...small, ...changes }));
  drivers.push(made);
  return made;
}

const isPart = ({ method, url }: Seen): boolean => method === 'PUT' && url.includes('partNumber=');
const isComplete = ({ method, url }: Seen): boolean => method === 'POST' && url.includes('uploadId=');
const isRead = ({ method }: Seen): boolean => method === 'GET';

/** True for the first so many. */
function first(times: number, of: (request: Seen) => boolean): (request: Seen) => boolean {
  let seen = 0;
  return (request) => of(request) && ++seen <= times;
}

const write = (through: StoreDriver, id = randomUUID()): Promise<string> =>
  through.write(id, chunked(bytes, mib), { size: undefined, signal: never() });

const readBack = async (url: string): Promise<boolean> => {
  const { data } = await driver({ s3StoreHost: gateway }).read(url.replace(/\/\/[^/]*/, `//${new URL(gateway).host}`), {
    offset: 0,
    signal: never(),
  });
  return (await collect(data)).equals(bytes);
};

describe('an upload to S3', () => {
  for (const [what, fault] of [
    ['breaks in the middle of a part', { kind: 'cutRequest', after: 2 * mib }],
    ['loses the answer to a part', { kind: 'loseAnswer' }],
    ['is told to slow down', { kind: 'answer', status: 503 }],
  ] as const) {
    it(`that ${what} goes on`, async () => {
      const chosen = first(2, isPart);
      proxy.breakWith((request) => (chosen(request) ? fault : undefined));
      expect(await readBack(await write(driver()))).toBe(true);
    });
  }

  it('has succeeded when only the last answer is lost', async () => {
    const chosen = first(1, isComplete);
    proxy.breakWith((request) => (chosen(request) ? { kind: 'loseAnswer' } : undefined));
    expect(await readBack(await write(driver()))).toBe(true);
  });

  it('fails and leaves nothing when no part gets through', async () => {
    const before = await contentsOf(client, s3StoreBucket);
    proxy.breakWith((request) => (isPart(request) ? { kind: 'answer', status: 503 } : undefined));
    await expect(write(driver())).rejects.toMatchObject({ code: 'StoreUnavailable' });
    expect(await contentsOf(client, s3StoreBucket)).toEqual(before);
  });

  it('fails at once when a part is refused while its source is silent', async () => {
    proxy.breakWith((request) => (isPart(request) ? { kind: 'answer', status: 403 } : undefined));
    const source = stalling(bytes);
    const writing = driver().write(randomUUID(), source.data, { size: undefined, signal: never() });
    await expect(writing).rejects.toMatchObject({ code: 'StorageDenied' });
    source.resume();
  });

  it('has parts in flight while more data arrives', async () => {
    const id = randomUUID();
    const source = stalling(content(24 * mib));
    const writing = driver().write(id, source.data, { size: undefined, signal: never() });
    await source.reached;
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: s3StoreBucket, Prefix: id }));
    const upload = { Bucket: s3StoreBucket, Key: id, UploadId: Uploads![0]!.UploadId! };
    const parts = async (): Promise<number> => (await client.send(new ListPartsCommand(upload))).Parts?.length ?? 0;
    await expect.poll(parts, { timeout: 20_000 }).toBe(2);
    source.resume();
    await writing;
  });
});

describe('a download from S3', () => {
  it('that breaks goes on with the byte that is missing', async () => {
    const through = driver();
    const url = await write(through);
    const chosen = first(3, isRead);
    proxy.breakWith((request) => (chosen(request) ? { kind: 'cutAnswer', after: 2 * mib } : undefined));
    const { data } = await through.read(url, { offset: 1, signal: never() });
    expect((await collect(data)).equals(bytes.subarray(1))).toBe(true);
    const ranges = proxy.requests.filter(isRead).map(({ headers }) => headers.range);
    expect(ranges.slice(-2)).toEqual([
      `bytes=${4 * mib + 1}-${bytes.length - 1}`,
      `bytes=${6 * mib + 1}-${bytes.length - 1}`,
    ]);
  });

  it('finds what an older version has written with its keys in the location', async () => {
    const url = await write(driver());
    const old = url.replace('//', '//access:secret/with+signs@');
    expect(await driver().size(old, never())).toBe(bytes.length);
    expect(driver().accepts!(url)).toBe(true);
    expect(driver().accepts!(old)).toBe(false);
    const renewed = driver().canonical!(old)!;
    expect(renewed).toBe(url);
    expect(await driver().size(renewed, never())).toBe(bytes.length);
    await driver().delete(old, never());
    await expect(driver().size(renewed, never())).rejects.toMatchObject({ code: 'DataNotFound' });
    expect(driver().canonical!(old.replace(s3StoreBucket, 'other'))).toBeUndefined();
  });

  it('is of this server only', async () => {
    const elsewhere = driver().read('s3://other.example/images/one', { offset: 0, signal: never() });
    await expect(elsewhere).rejects.toMatchObject({ code: 'BadLocation' });
    expect(driver().accepts!('s3://other.example/images/one')).toBe(false);
    expect(driver().canonical!('s3://other.example/images/one')).toBeUndefined();
  });

  it('does not take a missing bucket for a missing image', async () => {
    const through = driver({ s3StoreBucket: 'passing' });
    await through.open();
    const url = (await write(driver())).replace(`/${s3StoreBucket}/`, '/passing/');
    await client.send(new DeleteBucketCommand({ Bucket: 'passing' }));
    await expect(through.size(url, never())).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await expect(through.delete(url, never())).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });
});

describe('a server that does not answer', () => {
  it('is given up', async () => {
    const { hostname, port } = new URL(proxy.url);
    const silent = new S3Driver({
      client: {
        endpoint: `http://${hostname}:${port}`,
        region: 'us-east-1',
        accessKey: 'a',
        secretKey: 's',
        pathStyle: true,
        authorities: undefined,
        requestChecksums: 'WHEN_REQUIRED',
        responseChecksums: 'WHEN_REQUIRED',
        connectTimeout: 200,
        patience: 200,
      },
      bucket: s3StoreBucket,
      createBucket: false,
      partSize: 5 * mib,
      parallel: 1,
    });
    proxy.breakWith(() => ({ kind: 'silence' }));
    await expect(silent.open()).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await silent.close();
  });

  it('is one that nobody listens at', async () => {
    const nowhere = new Store(driver({ s3StoreHost: 'http://127.0.0.1:1' }));
    await expect(nowhere.open()).rejects.toMatchObject({ code: 'StoreUnavailable' });
  });
});

describe('the start', () => {
  for (const [option, changes] of [
    ['s3_store_access_key', { s3StoreAccessKey: 'nobody' }],
    ['s3_store_secret_key', { s3StoreSecretKey: 'wrong' }],
    ['s3_store_bucket', { s3StoreBucket: 'missing', s3StoreCreateBucketOnPut: false }],
  ] as const) {
    it(`names ${option} when it is wrong`, async () => {
      const opening = driver(changes).open();
      await expect(opening).rejects.toMatchObject({ code: 'StorageDenied' });
      await expect(opening).rejects.toThrow(option);
    });
  }

  for (const [option, changes] of [
    ['s3_store_host', { s3StoreHost: undefined }],
    ['s3_store_access_key', { s3StoreAccessKey: undefined }],
    ['s3_store_secret_key', { s3StoreSecretKey: undefined }],
    ['s3_store_bucket', { s3StoreBucket: undefined }],
    ['s3_store_cacert', { s3StoreCacert: '/nowhere' }],
  ] as const) {
    it(`names ${option} when it is missing`, () => {
      expect(() => driver(changes)).toThrow(option);
    });
  }

  it('believes the authorities of s3_store_cacert, and no others', async () => {
    const certificate = newCertificate();
    const tls = await faultyProxy(gateway, certificate);
    const trusting = driver({ s3StoreHost: tls.url, s3StoreCacert: certificate.path });
    await trusting.open();
    const url = await write(trusting);
    expect(url).toMatch(/^s3\+https:\/\/127\.0\.0\.1:\d+\/faults\//);
    expect(await readBack(url)).toBe(true);
    await expect(new Store(driver({ s3StoreHost: tls.url })).open()).rejects.toMatchObject({
      code: 'StoreUnavailable',
    });
    await tls.close();
  });
});
