import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { json, send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { isHealthy, type Service, startService, target } from './service.js';

let service: Service;
let images: ImageClient;
let active: string;
let queued: string;

beforeAll(async () => {
  service = await startService();
  images = imageClient(service.url);
  active = await images.create({ name: 'active' });
  await images.upload(active, Buffer.from('0123456789'));
  queued = await images.create();
});
afterAll(() => service.close());
afterEach(async () => {
  expect(await isHealthy(service.url)).toBe(true);
});

/** Cases that Glance answers with 500, or that it lets through against its own rules: ours does not. */
const ours = target === 'ours';

describe('an id', () => {
  const tricks = ['..%2f..%2fetc%2fpasswd', '..%2F..%2F..%2Fglance.sqlite', '%2e%2e%2f', '..', '%00', 'x'.repeat(3000)];

  it.each(ours ? [...tricks, '%ff%fe'] : tricks)('like %s is no way to a file', async (id) => {
    for (const path of [`/v2/images/${id}`, `/v2/images/${id}/file`]) {
      const reply = await send('GET', service.url + path);
      expect([400, 404, 414]).toContain(reply.status);
      expect(reply.body.toString()).not.toContain('root:');
    }
    const headers = { 'content-type': 'application/octet-stream' };
    const upload = await send('PUT', `${service.url}/v2/images/${id}/file`, { headers, body: 'data' });
    expect([400, 404, 405, 414]).toContain(upload.status);
    expect((await send('DELETE', `${service.url}/v2/images/${id}`)).status).toBeGreaterThanOrEqual(400);
  });

  it('is not found when written in capital letters', async () => {
    const upper = active.toUpperCase();
    if (upper !== active) expect((await images.show(upper)).status).toBe(404);
  });
});

describe('image data', () => {
  it.each([
    ...(ours ? ['bytes=-', 'bytes=-0'] : []),
    'bytes=9-3',
    'bytes=10-',
    'bytes=a-b',
    'bytes',
    'octets=0-1',
    'bytes=99999999999999999999-',
  ])('asked for by Range: %s is answered with 416', async (range) => {
    const reply = await images.download(active, { range });
    expect(reply.status).toBe(416);
    expect(reply.body.toString()).not.toBe('0123456789');
  });

  it('asked for in several ranges is answered with 400', async () => {
    expect((await images.download(active, { range: 'bytes=0-1,3-4' })).status).toBe(400);
  });

  it('of another media type is answered with 415', async () => {
    const url = `${service.url}/v2/images/${queued}/file`;
    for (const headers of [{}, { 'content-type': 'text/plain' }]) {
      expect((await send('PUT', url, { headers, body: 'x' })).status).toBe(415);
    }
  });

  it('for an image without a format is answered with 400', async () => {
    const id = await images.create({ disk_format: null });
    expect((await images.upload(id, Buffer.from('x'))).status).toBe(400);
  });

  it('for an image that has some is answered with 409', async () => {
    expect((await images.upload(active, Buffer.from('other'))).status).toBe(409);
    expect((await images.download(active)).body.toString()).toBe('0123456789');
  });

  it.runIf(ours)('of a size that is no number is answered with 400', async () => {
    for (const size of ['many', '-1', '1.5', '9'.repeat(40)]) {
      expect((await images.upload(queued, Buffer.from('x'), { 'x-openstack-image-size': size })).status).toBe(400);
    }
    expect((await images.image(queued)).status).toBe('queued');
  });
});

describe('rubbish on the wire', () => {
  /** What the service answers to bytes before it closes the connection. */
  async function answer(bytes: string | Buffer): Promise<string> {
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(bytes);
    return (await buffer(socket).catch(() => Buffer.alloc(0))).toString('latin1');
  }

  it.each([
    ['no HTTP at all', '\0\x01\x02\xff\r\n\r\n'],
    ['a TLS greeting', Buffer.from('16030100a5010000a10303', 'hex')],
    ['a method that does not exist', 'FROBNICATE /v2/images HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a version that does not exist', 'GET /v2/images HTTP/9.9\r\nHost: x\r\n\r\n'],
    ['a negative length', 'POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n'],
    ['a header of 64 KiB', `GET /v2/images HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(65_536)}\r\n\r\n`],
    ['a request line of 64 KiB', `GET /v2/images?name=${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ])('like %s is refused or ignored', async (_, bytes) => {
    const status = Number(/^HTTP\/1\.\d (\d+)/.exec(await answer(bytes))?.[1] ?? 0);
    expect([0, 400, 404, 405, 414, 431, 501, 505]).toContain(status);
  });

  it.runIf(ours)('like a header without a name or two lengths that contradict each other is refused', async () => {
    expect(await answer('GET /v2/images HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    const smuggled =
      'POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(await answer(smuggled)).toMatch(/^HTTP\/1\.1 400/);
  });

  it('like a request that never ends keeps nobody waiting', async () => {
    const idle = Array.from({ length: 50 }, () => {
      const socket = connect(service.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('GET /v2/images HTTP/1.1\r\nHost: x\r\nX-Slow');
      return socket;
    });
    expect((await images.show(active)).status).toBe(200);
    for (const socket of idle) socket.destroy();
  });

  it('like Accept: of every kind gets an error that can be read', async () => {
    for (const accept of ['application/json', 'text/html', '*/*', '\x00', 'rubbish;;;q=,', 'a'.repeat(4000)]) {
      const headers = accept === '\x00' ? {} : { accept };
      const reply = await send('GET', `${service.url}/v2/images/${randomUUID()}`, { headers });
      expect(reply.status).toBe(404);
      if (accept === 'application/json') expect(json(reply)).toMatchObject({ code: '404 Not Found' });
    }
  });
});
