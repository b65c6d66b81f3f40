import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { ServiceError } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Answer } from '../testing/http-client.js';
import { startService, type TestService } from '../testing/service.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let service: TestService;
let path: string;

const bytes = Buffer.from(Uint8Array.from({ length: 300_007 }, (_, n) => (n * 31 + (n >> 8) * 7) & 0xff));
const md5 = createHash('md5').update(bytes).digest('hex');
const etag = `"${createHash('sha512').update(bytes).digest('hex')}"`;

beforeEach(async () => {
  service = await startService();
  path = await service.upload(bytes);
});
afterEach(() => service.close());

const get = (headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answer> =>
  service.ask(method, `${path}/file`, { headers });

describe('a download', () => {
  it('has all bytes, their number and digests', async () => {
    const { status, headers, bytes: body } = await get();
    expect(status).toBe(200);
    expect(body.equals(bytes)).toBe(true);
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      'content-md5': md5,
      'accept-ranges': 'bytes',
      etag,
    });
    expect(headers['x-openstack-request-id']).toMatch(/^req-/);
    expect(headers['content-range']).toBeUndefined();
  });

  it('of an image without data is empty', async () => {
    const { status, text } = await service.ask('GET', `${await service.create()}/file`);
    expect({ status, text }).toEqual({ status: 204, text: '' });
  });

  it('of data that is lost is empty', async () => {
    service.driver.images.clear();
    expect((await get()).status).toBe(204);
    expect((await get({ range: 'bytes=0-1' })).status).toBe(204);
  });

  it('of an empty image has no bytes', async () => {
    const empty = await service.upload('');
    const { status, headers, text } = await service.ask('GET', `${empty}/file`);
    expect({ status, length: headers['content-length'], text }).toEqual({ status: 200, length: '0', text: '' });
    expect((await service.ask('GET', `${empty}/file`, { headers: { range: 'bytes=0-0' } })).status).toBe(416);
  });

  it('of an image that is not there is refused', async () => {
    expect((await service.ask('GET', '/v2/images/00000000-0000-4000-8000-00000000dead/file')).status).toBe(404);
  });

  it('cannot prefer a store where there is only one', async () => {
    expect((await service.ask('GET', `${path}/file?prefer=fast`)).status).toBe(400);
  });

  it('can be described without being sent', async () => {
    let read = false;
    service.driver.onRead = () => void (read = true);
    const { status, headers, text } = await get({}, 'HEAD');
    expect({ status, text, read }).toEqual({ status: 200, text: '', read: false });
    expect(headers).toMatchObject({ 'content-length': String(bytes.length), 'content-md5': md5, etag });
    expect((await get({ range: 'bytes=0-9' }, 'HEAD')).headers['content-length']).toBe('10');
    expect((await get({ 'if-none-match': etag }, 'HEAD')).status).toBe(304);
  });

  it('says when the store is away', async () => {
    service.images.beginDownload = async () => {
      throw new ServiceError('StoreUnavailable', 'away');
    };
    expect((await get()).status).toBe(503);
  });
});

describe('a part of a download', () => {
  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=65530-65545', 65530, 16],
    ['bytes=300000-', 300_000, 7],
    ['bytes=-5', 300_002, 5],
    ['bytes=300000-999999', 300_000, 7],
    ['bytes=0-', 0, 300_007],
  ])('%s', async (range, offset, length) => {
    const { status, headers, bytes: body } = await get({ range });
    expect(status).toBe(206);
    expect(headers['content-range']).toBe(`bytes ${offset}-${offset + length - 1}/${bytes.length}`);
    expect(headers['content-length']).toBe(String(length));
    expect(headers['content-md5']).toBe(md5);
    expect(body.equals(bytes.subarray(offset, offset + length))).toBe(true);
  });

  it.each(['bytes=300007-', 'bytes=9-3', 'lines=1-2', 'bytes=-0', 'nonsense'])('%s cannot be had', async (range) => {
    const { status, headers } = await get({ range });
    expect(status).toBe(416);
    expect(headers['content-range']).toBe(`bytes */${bytes.length}`);
  });

  it('must be one', async () => {
    expect((await get({ range: 'bytes=0-1,5-6' })).status).toBe(400);
  });

  it('may be asked for by Content-Range, as Nova once did', async () => {
    const { status, bytes: body } = await get({ 'content-range': 'bytes 2-5/*' });
    expect(status).toBe(206);
    expect(body.equals(bytes.subarray(2, 6))).toBe(true);
    expect((await get({ 'content-range': 'bytes' })).status).toBe(416);
  });

  it('is all of it when the data is not what the client has a part of', async () => {
    const range = 'bytes=2-5';
    expect((await get({ range, 'if-range': etag })).status).toBe(206);
    expect((await get({ range, 'if-range': '"other"' })).status).toBe(200);
  });
});

describe('a download of what the client has already', () => {
  it.each([etag, `W/${etag}`, `"other", ${etag}`, '*'])('is not sent again for If-None-Match: %s', async (tag) => {
    const { status, headers, text } = await get({ 'if-none-match': tag });
    expect({ status, etag: headers.etag, text }).toEqual({ status: 304, etag, text: '' });
  });

  it('is sent if it is something else', async () => {
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
  });
});

describe('a download that breaks', () => {
  /** Starts one and answers with the response, whose body is not read yet. */
  async function begin(): Promise<IncomingMessage> {
    const asked = request(`${service.api.url}${path}/file`, { agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  }

  async function rest(response: IncomingMessage): Promise<number> {
    let size = 0;
    for await (const chunk of response) size += (chunk as Buffer).length;
    return size;
  }

  it('is seen to break: it never ends as if that were all', async () => {
    service.driver.onRead = (offset) => {
      if (offset > 0) throw new ServiceError('StoreUnavailable', 'away');
    };
    await expect(begin().then(rest)).rejects.toThrow(/aborted|hang up|reset/);
  });

  it('is seen to break when the store has less than the image', async () => {
    service.driver.images.set(`memory://${path.split('/').at(-1)!}`, bytes.subarray(0, 100_000));
    await expect(begin().then(rest)).rejects.toThrow(/aborted|hang up|reset/);
  });

  it('is not read on when the client goes away', async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
    const offsets: number[] = [];
    service.driver.onRead = async (offset) => {
      offsets.push(offset);
      if (offset > 0) {
        reach();
        await gone;
      }
    };
    const response = await begin();
    await reached;
    response.destroy();
    response.on('error', () => undefined);
    expect(await service.api.drain(5000)).toBe(true);
    leave();
    expect(offsets).toHaveLength(2);
  });

  it('goes on when the image is deleted, as long as the store has the bytes', async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const { promise: deleted, resolve: go } = Promise.withResolvers<void>();
    service.driver.onRead = async (offset) => {
      if (offset > 0) {
        reach();
        await deleted;
      }
    };
    const response = await begin();
    await reached;
    expect((await service.ask('DELETE', path)).status).toBe(204);
    go();
    expect(await rest(response)).toBe(bytes.length);
    expect((await service.ask('GET', `${path}/file`)).status).toBe(404);
  });
});

describe('deleting data', () => {
  it('that is in use is refused, and the image stays as it was', async () => {
    service.driver.onDelete = () => {
      throw new ServiceError('DataInUse', 'A clone needs it.');
    };
    expect((await service.ask('DELETE', path)).status).toBe(409);
    expect(await service.show(path)).toMatchObject({ status: 'active' });
    expect((await get()).status).toBe(200);
  });

  it('that the store does not give away is refused', async () => {
    service.driver.onDelete = () => {
      throw new ServiceError('StorageDenied', 'Read-only.');
    };
    expect((await service.ask('DELETE', path)).status).toBe(403);
    expect(await service.show(path)).toMatchObject({ status: 'active' });
  });

  it('that is gone already is fine', async () => {
    service.driver.images.clear();
    expect((await service.ask('DELETE', path)).status).toBe(204);
  });

  it('in a store that is away is left to the scrubber: the image is gone', async () => {
    service.driver.onDelete = () => {
      throw new ServiceError('StoreUnavailable', 'away');
    };
    expect((await service.ask('DELETE', path)).status).toBe(204);
    expect((await service.ask('GET', path)).status).toBe(404);
    expect(service.driver.images.size).toBe(1);
  });
});
