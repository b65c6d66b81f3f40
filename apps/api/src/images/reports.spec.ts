import { once } from 'node:events';
import { request } from 'node:http';
import type { Download } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { chunked, octets, put, raw } from '../testing/uploading.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const bytes = Buffer.alloc(16 * 1024 * 1024, 7);

let service: TestService;
let path: string;
/** What the registry is told of downloads. */
let told: unknown[];
let next: PromiseWithResolvers<void>;

beforeEach(async () => {
  service = await startService();
  path = await service.upload(bytes);
  told = [];
  next = Promise.withResolvers();
});
afterEach(() => service.close());

/** The registry wants to know, or does not. */
function registryWants(report: boolean): void {
  const { beginDownload } = service.images;
  service.images.beginDownload = async (...args): Promise<Download> => ({
    ...(await beginDownload(...args)),
    ...(report && { report }),
  });
  service.images.finishDownload = async (_caller, id, sent) => {
    told.push({ id, ...sent });
    next.resolve();
  };
}

describe('the registry', () => {
  it('is told how much of a download was sent, if it wants to know', async () => {
    registryWants(true);
    await service.ask('GET', `${path}/file`);
    await next.promise;
    next = Promise.withResolvers();
    await service.ask('GET', `${path}/file`, { headers: { range: 'bytes=10-19' } });
    await next.promise;
    const id = path.split('/').at(-1);
    expect(told).toEqual([
      { id, bytes: bytes.length, of: bytes.length },
      { id, bytes: 10, of: 10 },
    ]);
  });

  it('is told of a download that the client breaks off', async () => {
    registryWants(true);
    const client = request(`${service.api.url}${path}/file`, { agent: false }).end();
    const [response] = (await once(client, 'response')) as [NodeJS.ReadableStream];
    response.once('data', () => client.destroy());
    await next.promise;
    const [{ bytes: sent, of }] = told as [{ bytes: number; of: number }];
    expect(of).toBe(bytes.length);
    expect(sent).toBeLessThan(of);
  });

  it('is not called when it does not want to know, or when nothing was to be sent', async () => {
    registryWants(false);
    await service.ask('GET', `${path}/file`);
    registryWants(true);
    await service.ask('HEAD', `${path}/file`);
    await service.ask('GET', `${await service.create()}/file`);
    expect(told).toEqual([]);
  });

  it('does not keep the client waiting, nor from its bytes when it does not answer', async () => {
    registryWants(true);
    const late = Promise.withResolvers<void>();
    service.images.finishDownload = () => late.promise;
    expect((await service.ask('GET', `${path}/file`)).bytes).toHaveLength(bytes.length);
    late.resolve();
    service.images.finishDownload = () => Promise.reject(new Error('away'));
    expect((await service.ask('GET', `${path}/file`)).bytes).toHaveLength(bytes.length);
  });

  it('is told why an upload failed', async () => {
    const reasons: unknown[] = [];
    const { cancelUpload } = service.images;
    service.images.cancelUpload = (token, reason) => {
      reasons.push(reason);
      return cancelUpload(token, reason);
    };
    const headers = { ...octets, 'x-openstack-image-size': '4' };
    const refused = await put(service, await service.create(raw), chunked('abc'), headers);
    expect(refused.status).toBe(400);
    expect(reasons).toEqual([expect.stringContaining('3')]);
    expect(refused.text).toContain(reasons[0]);
  });
});
