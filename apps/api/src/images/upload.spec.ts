import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { chunked, octets, openUpload, pattern, put, raw } from '../testing/uploading.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let service: TestService;
beforeEach(async () => {
  service = await startService({ registry: { imageSizeCap: 8 * 1024 * 1024 } });
});
afterEach(() => service.close());

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const sha512 = (bytes: Uint8Array): string => createHash('sha512').update(bytes).digest('hex');

describe('an upload', () => {
  it.each([
    ['in chunks', (bytes: Buffer) => chunked(bytes.subarray(0, 7), bytes.subarray(7))],
    ['with its length', (bytes: Buffer) => bytes],
  ])('%s makes the image active, with its size and digests', async (_how, body) => {
    const bytes = pattern(3_000_001);
    const path = await service.create(raw);
    const { status, text } = await put(service, path, body(bytes));
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect(await service.show(path)).toMatchObject({
      status: 'active',
      size: bytes.length,
      virtual_size: bytes.length,
      checksum: md5(bytes),
      os_hash_algo: 'sha512',
      os_hash_value: sha512(bytes),
    });
    const [stored] = service.driver.images.values();
    expect(stored?.equals(bytes)).toBe(true);
  });

  it('of nothing makes the image active', async () => {
    const path = await service.create(raw);
    expect((await put(service, path, '')).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'active', size: 0 });
  });

  it('is not looked into in a container that is not bare', async () => {
    const path = await service.create({ disk_format: 'raw', container_format: 'ovf' });
    expect((await put(service, path, 'x')).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'active', virtual_size: null });
  });

  it('may announce its size in a header of its own', async () => {
    const path = await service.create(raw);
    const headers = { ...octets, 'x-openstack-image-size': '4' };
    expect((await put(service, path, chunked('data'), headers)).status).toBe(204);
  });

  it('answers a client that asks before it sends', async () => {
    const path = await service.create(raw);
    const upload = openUpload(service, path, { ...octets, expect: '100-continue', 'content-length': 4 });
    upload.flushHeaders();
    await once(upload, 'continue');
    upload.end('data');
    const [answer] = (await once(upload, 'response')) as [{ statusCode: number }];
    expect(answer.statusCode).toBe(204);
  });
});

describe('an upload is refused before it is sent', () => {
  it.each([
    ['without a media type', {}, raw, 415],
    ['with another media type', { 'content-type': 'text/plain' }, raw, 415],
    ['with a size that is no number', { ...octets, 'x-openstack-image-size': 'big' }, raw, 400],
    ['with two sizes', { ...octets, 'x-openstack-image-size': '5', 'content-length': 4 }, raw, 400],
    ['for a store that does not exist', { ...octets, 'x-image-meta-store': 'fast' }, raw, 400],
    ['to an image without a disk format', octets, { container_format: 'bare' }, 400],
    ['to an image without a container format', octets, { disk_format: 'raw' }, 400],
  ])('%s', async (_what, headers, image, status) => {
    const path = await service.create(image);
    expect((await put(service, path, 'data', headers)).status).toBe(status);
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
    expect(service.driver.images.size).toBe(0);
  });

  it('to an image that is not there', async () => {
    expect((await put(service, '/v2/images/00000000-0000-4000-8000-00000000dead', 'data')).status).toBe(404);
  });

  it('to an image that has data', async () => {
    const path = await service.upload('data');
    expect((await put(service, path, 'other')).status).toBe(409);
    expect((await service.ask('GET', `${path}/file`)).text).toBe('data');
  });

  it('and the client that asks before it sends never sends', async () => {
    const path = await service.upload('data');
    const upload = openUpload(service, path, { ...octets, expect: '100-continue', 'content-length': 4 });
    let asked = false;
    upload.on('continue', () => (asked = true));
    upload.flushHeaders();
    const [answer] = (await once(upload, 'response')) as [{ statusCode: number; headers: { connection: string } }];
    expect({ status: answer.statusCode, asked, connection: answer.headers.connection }).toEqual({
      status: 409,
      asked: false,
      connection: 'close',
    });
  });

  it('and the client sees why although it sends on until it is done', async () => {
    const path = await service.upload('data');
    const socket = connect(Number(new URL(service.api.url).port), '127.0.0.1');
    const body = Buffer.alloc(5 * 1024 * 1024);
    socket.write(
      `PUT ${path}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n` +
        `Content-Length: ${body.length}\r\n\r\n`,
    );
    const [early] = (await once(socket, 'data')) as [Buffer];
    expect(early.toString()).toMatch(/^HTTP\/1\.1 409 /);
    // The connection is still good for the rest of the body, and for the next request.
    socket.write(body);
    socket.write('GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const rest: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => rest.push(chunk));
    await once(socket, 'close');
    expect(Buffer.concat(rest).toString()).toMatch(/HTTP\/1\.1 200 /);
  });
});
