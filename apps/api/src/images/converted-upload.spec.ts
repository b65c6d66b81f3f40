import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { testSettings } from '../testing/settings.js';
import { makeSigner } from '../testing/signer.js';
import { octets, pattern, put, raw } from '../testing/uploading.js';

const disk = pattern(5 * 1024 * 1024);
const qcow2 = { disk_format: 'qcow2', container_format: 'bare' };

describe('where uploads are converted', () => {
  let service: TestService;
  let directory: string;
  const at = (name: string): string => join(directory, name);
  const qemu = (...args: string[]): Buffer => execFileSync('qemu-img', args, { cwd: directory });
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'glance-converted-'));
    writeFileSync(at('disk.raw'), disk);
    qemu('convert', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
    const keyManager = { ...testSettings().keyManager, backend: 'directory', certificateDirectory: directory };
    const limits = { imageSizeCap: 8 * 1024 * 1024 };
    service = await startService({ settings: { convertUploads: true, keyManager }, registry: limits });
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true });
  });

  const stored = (path: string): Buffer | undefined => service.driver.images.get(`memory://${path.split('/').at(-1)!}`);
  const leftInScratch = (): string[] => (existsSync(service.scratch) ? readdirSync(service.scratch) : []);
  const staysQueued = async (path: string): Promise<void> => {
    expect(await service.show(path)).toMatchObject({ status: 'queued', size: null, disk_format: 'qcow2' });
    expect([stored(path), leftInScratch()]).toEqual([undefined, []]);
  };

  it('a qcow2 becomes a raw disk', async () => {
    const path = await service.create(qcow2);
    expect((await put(service, path, readFileSync(at('disk.qcow2')))).status).toBe(204);
    expect(stored(path)?.equals(disk)).toBe(true);
    expect(await service.show(path)).toMatchObject({
      status: 'active',
      disk_format: 'raw',
      size: disk.length,
      virtual_size: disk.length,
      os_hash_value: createHash('sha512').update(disk).digest('hex'),
    });
    expect(leftInScratch()).toEqual([]);
  });

  it('a raw disk, and what is no disk, are stored as they come', async () => {
    for (const attributes of [raw, { ...raw, disk_format: 'ami' }, { ...qcow2, container_format: 'ovf' }]) {
      const path = await service.create(attributes);
      expect((await put(service, path, disk)).status).toBe(204);
      expect(stored(path)?.equals(disk)).toBe(true);
      expect(await service.show(path)).toMatchObject({ disk_format: attributes.disk_format });
    }
  });

  it('a signed image is stored as it was signed', async () => {
    const bytes = readFileSync(at('disk.qcow2'));
    const signer = makeSigner(directory, 'RSA-PSS');
    writeFileSync(at('signer.pem'), signer.certificate);
    const path = await service.create({
      ...qcow2,
      img_signature: signer.sign(bytes, 'SHA-256'),
      img_signature_hash_method: 'SHA-256',
      img_signature_key_type: 'RSA-PSS',
      img_signature_certificate_uuid: 'signer',
    });
    expect((await put(service, path, bytes)).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ disk_format: 'qcow2', size: bytes.length });
  });

  it('an image that names another file is refused, and leaves nothing', async () => {
    qemu('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', at('disk.raw'), 'overlay.qcow2');
    const path = await service.create(qcow2);
    expect((await put(service, path, readFileSync(at('overlay.qcow2')))).status).toBe(415);
    await staysQueued(path);
  });

  it('a disk that is larger than images may be is refused', async () => {
    qemu('create', '-q', '-f', 'qcow2', 'large.qcow2', '9M');
    const path = await service.create(qcow2);
    expect((await put(service, path, readFileSync(at('large.qcow2')))).status).toBe(413);
    await staysQueued(path);
  });

  it('fewer bytes than were announced are no image', async () => {
    const path = await service.create(qcow2);
    const headers = { ...octets, 'x-openstack-image-size': '1000000', 'transfer-encoding': 'chunked' };
    expect((await put(service, path, readFileSync(at('disk.qcow2')).subarray(0, 500_000), headers)).status).toBe(400);
    await staysQueued(path);
  });
});
