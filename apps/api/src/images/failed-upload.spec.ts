import { once } from 'node:events';
import { type Images, ServiceError, unauthenticatedCaller } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { chunked, octets, openUpload, pattern, put, raw } from '../testing/uploading.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let service: TestService;
beforeEach(async () => {
  service = await startService({ registry: { imageSizeCap: 8 * 1024 * 1024 } });
});
afterEach(() => service.close());

/** Resolves when the driver has begun to receive bytes. */
function received(): Promise<void> {
  return new Promise((resolve) => (service.driver.onChunk = () => resolve()));
}

/** Waits until the image has a status, without looking more often than the service can answer. */
async function hasStatus(path: string, status: string): Promise<Record<string, unknown>> {
  for (;;) {
    const image = await service.show(path);
    if (image['status'] === status) return image;
  }
}

describe('an upload that goes wrong leaves nothing, and the next one succeeds:', () => {
  const recovers = async (path: string): Promise<void> => {
    const image = await hasStatus(path, 'queued');
    expect(image).toMatchObject({ size: null, checksum: null, os_hash_value: null, virtual_size: null });
    expect(service.driver.images.size).toBe(0);
    expect((await put(service, path, 'again')).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'active', size: 5 });
  };

  it.each([
    ['fewer bytes than announced', 'abc', '4', 400],
    ['more bytes than announced', 'abcde', '4', 400],
    ['more bytes than allowed, announced', 'abc', String(8 * 1024 * 1024 + 1), 413],
  ])('%s', async (_what, body, announced, status) => {
    const path = await service.create(raw);
    const headers = { ...octets, 'x-openstack-image-size': announced };
    expect((await put(service, path, chunked(body), headers)).status).toBe(status);
    await recovers(path);
  });

  it('more bytes than allowed, not announced', async () => {
    const path = await service.create(raw);
    const mega = Buffer.alloc(1024 * 1024);
    expect((await put(service, path, chunked(...Array<Buffer>(9).fill(mega)))).status).toBe(413);
    await recovers(path);
  });

  it('bytes of another format than declared', async () => {
    const path = await service.create({ ...raw, disk_format: 'qcow2' });
    const { status, text } = await put(service, path, 'data');
    expect(status).toBe(415);
    expect(text).toContain('qcow2');
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
    expect(service.driver.images.size).toBe(0);
  });

  it('bytes that are dangerous', async () => {
    const header = Buffer.alloc(512);
    header.write('QFI\xfb', 'latin1');
    header.writeUInt32BE(2, 4);
    header.writeBigUInt64BE(72n, 8);
    header.writeUInt32BE(11, 16);
    header.write('/etc/passwd', 72);
    const path = await service.create({ ...raw, disk_format: 'qcow2' });
    const { status, text } = await put(service, path, header);
    expect(status).toBe(415);
    expect(text).toContain('safety');
    expect(service.driver.images.size).toBe(0);
    expect(await service.show(path)).toMatchObject({ status: 'queued', checksum: null });
  });

  it('a client that goes away', async () => {
    const path = await service.create(raw);
    const arrived = received();
    const upload = openUpload(service, path);
    upload.write(pattern(5 * 1024 * 1024));
    await arrived;
    upload.destroy();
    service.driver.onChunk = () => undefined;
    await recovers(path);
  });

  it('a client that goes away before a byte', async () => {
    const path = await service.create(raw);
    const upload = openUpload(service, path, { ...octets, 'content-length': 100 });
    upload.flushHeaders();
    await hasStatus(path, 'saving');
    upload.destroy();
    await recovers(path);
  });

  it('a store that fails while it waits for a slow client', async () => {
    const path = await service.create(raw);
    const { promise: failed, resolve: fail } = Promise.withResolvers<void>();
    service.driver.onChunk = async () => {
      await failed;
      throw new ServiceError('StorageFull', 'no room');
    };
    const upload = openUpload(service, path);
    upload.write(pattern(5 * 1024 * 1024));
    await hasStatus(path, 'saving');
    fail();
    const [answer] = (await once(upload, 'response')) as [{ statusCode: number }];
    expect(answer.statusCode).toBe(413);
    // What the client sends on is taken and thrown away until it has done.
    upload.end(pattern(2 * 1024 * 1024));
    await once(upload, 'finish');
    service.driver.onChunk = () => undefined;
    await recovers(path);
  });

  it('a full store', async () => {
    const path = await service.create(raw);
    service.driver.onPublish = () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    };
    expect((await put(service, path, 'data')).status).toBe(413);
    service.driver.onPublish = () => undefined;
    await recovers(path);
  });

  it.each([
    ['StorageDenied', 503],
    ['StoreUnavailable', 503],
    ['StoreDisabled', 410],
  ] as const)('a store that fails with %s', async (code, status) => {
    const path = await service.create(raw);
    service.driver.onChunk = () => {
      throw new ServiceError(code, 'no');
    };
    expect((await put(service, path, 'data')).status).toBe(status);
    service.driver.onChunk = () => undefined;
    await recovers(path);
  });

  it('a service that is stopped', async () => {
    const path = await service.create(raw);
    const arrived = received();
    const upload = openUpload(service, path);
    upload.write(pattern(5 * 1024 * 1024));
    await arrived;
    expect(await service.api.drain(10)).toBe(false);
    await service.api.close();
    const image = await service.images.show(unauthenticatedCaller('req-test'), path.split('/').at(-1)!);
    expect(image.status).toBe('queued');
    expect(service.driver.images.size).toBe(0);
  });
});

describe('two uploads to one image', () => {
  it('are one that succeeds and one that is refused', async () => {
    const path = await service.create(raw);
    const answers = await Promise.all([put(service, path, pattern(100_000)), put(service, path, pattern(100_001))]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    const { size } = await service.show(path);
    expect([...service.driver.images.values()].map(({ length }) => length)).toEqual([size]);
  });
});

describe('an image that is deleted while it is uploaded', () => {
  it('is gone for the uploader too, and nothing of it is stored', async () => {
    const path = await service.create(raw);
    const arrived = received();
    const upload = openUpload(service, path);
    upload.write(pattern(5 * 1024 * 1024));
    await arrived;
    expect((await service.ask('DELETE', path)).status).toBe(204);
    upload.end();
    const [answer] = (await once(upload, 'response')) as [{ statusCode: number }];
    expect(answer.statusCode).toBe(410);
    expect(service.driver.images.size).toBe(0);
    expect((await service.ask('GET', path)).status).toBe(404);
  });

  it('is erased even if its data is stored already', async () => {
    const path = await service.create(raw);
    service.driver.onPublish = async () => {
      expect((await service.ask('DELETE', path)).status).toBe(204);
    };
    expect((await put(service, path, 'data')).status).toBe(410);
    expect(service.driver.images.size).toBe(0);
  });
});

describe('a registry that fails', () => {
  const failing = (method: keyof Images, code: 'Unavailable' | 'LimitExceeded'): void => {
    const fail = async (): Promise<never> => {
      throw new ServiceError(code, 'registry');
    };
    Object.assign(service.images, { [method]: fail });
  };

  it('before the last byte is stored keeps the store from storing it', async () => {
    const path = await service.create(raw);
    failing('renewLease', 'Unavailable');
    expect((await put(service, path, 'data')).status).toBe(503);
    expect(service.driver.images.size).toBe(0);
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
  });

  it('without saying whether the image is active leaves data and image to whoever cleans up', async () => {
    const path = await service.create(raw);
    failing('finishUpload', 'Unavailable');
    expect((await put(service, path, 'data')).status).toBe(503);
    expect(service.driver.images.size).toBe(1);
    expect(await service.show(path)).toMatchObject({ status: 'saving' });
  });

  it('by refusing the data has it erased', async () => {
    const path = await service.create(raw);
    failing('finishUpload', 'LimitExceeded');
    expect((await put(service, path, 'data')).status).toBe(413);
    expect(service.driver.images.size).toBe(0);
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
  });

  it('while an upload is undone does not hide why it is', async () => {
    const path = await service.create(raw);
    failing('cancelUpload', 'Unavailable');
    const headers = { ...octets, 'x-openstack-image-size': '3' };
    expect((await put(service, path, chunked('data'), headers)).status).toBe(400);
    expect(service.driver.images.size).toBe(0);
  });
});
