import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ceph, startCeph } from '../tools/services/ceph.js';
import { type Radosgw, startRadosgw } from '../tools/services/radosgw.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { inCeph } from './files-and-ceph.js';
import { begin, json, type Reply, send } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { type Service, startService, target } from './service.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const all = ['files', 'ceph', 'objects'] as const;
type Id = (typeof all)[number];

// Debian's Glance would need another configuration.
describe.runIf(target === 'ours')('a service with files, Ceph and S3 at once', () => {
  const disk = scratchDirectory('disk');
  const files = join(disk.path, 'images');
  const data = randomBytes(9 * MiB + 1);
  let ceph: Ceph;
  let gateway: Radosgw;
  let service: Service;
  let images: ImageClient;

  beforeAll(async () => {
    ceph = await startCeph();
    gateway = await startRadosgw(ceph.conf);
    const { origin, username, password } = new URL(gateway.url);
    service = await startService({
      settings: {
        enabled_backends: 'files:file,ceph:rbd,objects:s3',
        upload_lease_time: 6,
        recovery_interval: 1,
      },
      groups: {
        glance_store: { default_backend: 'ceph' },
        files: { filesystem_store_datadir: files },
        ceph: { ...inCeph(ceph), rbd_store_chunk_size: 1, rados_connect_timeout: 3 },
        objects: {
          s3_store_host: origin,
          s3_store_access_key: username,
          s3_store_secret_key: decodeURIComponent(password),
          s3_store_bucket: 'images',
          s3_store_create_bucket_on_put: 'True',
          // The first that is read.
          weight: 10,
          store_description: 'far away',
        },
      },
    });
    images = imageClient(service.url);
  });
  afterAll(async () => {
    await service.close();
    await gateway.close();
    await ceph.close();
    disk.remove();
  });

  /** The stores in which, asked by other means, there is something of this id. */
  const holders = async (id: string): Promise<Id[]> => {
    const admin = ['-c', ceph.conf, '-n', 'client.admin', 'bucket', 'list', '--bucket', 'images'];
    const objects = JSON.parse((await run('radosgw-admin', admin)).stdout) as { name: string }[];
    const names: Readonly<Record<Id, readonly string[]>> = {
      files: readdirSync(files),
      ceph: (await ceph.rbd('ls', '-p', ceph.pool)).split('\n'),
      objects: objects.map(({ name }) => name),
    };
    return all.filter((store) => names[store].includes(id));
  };
  const stores = async (id: string): Promise<string> => (json(await images.show(id)) as { stores: string }).stores;
  const upload = async (store: Id): Promise<Reply & { id: string }> => {
    const id = await images.create();
    return { ...(await images.upload(id, data, { 'x-image-meta-store': store })), id };
  };
  const everywhere = async (): Promise<string> => {
    const { id } = await upload('files');
    const body = JSON.stringify({ method: { name: 'copy-image' }, all_stores: true });
    const headers = { 'content-type': 'application/json' };
    const reply = await send('POST', `${service.url}/v2/images/${id}/import`, { headers, body });
    expect(reply.status).toBe(202);
    await until('it is copied to all stores', async () => (await stores(id)).split(',').length === 3);
    return id;
  };
  const expectData = async (id: string): Promise<void> => {
    expect((await images.download(id)).body.equals(data)).toBe(true);
  };

  it('tells which stores there are', async () => {
    expect(json(await send('GET', `${service.url}/v2/info/stores`))).toEqual({
      stores: [{ id: 'files' }, { id: 'ceph', default: 'true' }, { id: 'objects', description: 'far away' }],
    });
    const { stores } = json(await send('GET', `${service.url}/v2/info/stores/detail`)) as { stores: object[] };
    expect(stores).toMatchObject([
      { id: 'files', type: 'file' },
      { id: 'ceph', type: 'rbd', properties: { pool: ceph.pool } },
      { id: 'objects', type: 's3', weight: 10 },
    ]);
  });

  it('takes an image into each of them, and gives it back', async () => {
    for (const store of all) {
      const { id, status } = await upload(store);
      expect(status).toBe(204);
      expect(await holders(id)).toEqual([store]);
      expect(await stores(id)).toBe(store);
      await expectData(id);
      expect((await images.remove(id)).status).toBe(204);
      expect(await holders(id)).toEqual([]);
    }
  });

  it('copies an image to all, takes single copies away, and keeps the last', async () => {
    const id = await everywhere();
    expect(await holders(id)).toEqual(all);
    const remove = (store: Id): Promise<Reply> => send('DELETE', `${service.url}/v2/stores/${store}/${id}`);
    expect((await remove('objects')).status).toBe(204);
    expect(await holders(id)).toEqual(['files', 'ceph']);
    await expectData(id);
    expect((await remove('objects')).status).toBe(404);
    expect((await remove('ceph')).status).toBe(204);
    expect((await remove('files')).status).toBe(403);
    expect(await holders(id)).toEqual(['files']);
    expect(await stores(id)).toBe('files');
    await expectData(id);
  });

  it('goes on without one that dies, also in the middle of a download, and uses it again when it is back', async () => {
    const id = await everywhere();
    const { request, replied } = begin('GET', `${service.url}/v2/images/${id}/file`);
    request.end();
    const response = await replied;
    await gateway.kill();
    expect((await buffer(response)).equals(data)).toBe(true);
    await expectData(id);
    expect((await upload('objects')).status).toBe(503);
    const { id: other, status } = await upload('ceph');
    expect(status).toBe(204);
    await expectData(other);
    // Nobody sees it any more; what cannot be erased now, is later.
    expect((await images.remove(id)).status).toBe(204);
    expect(await holders(id)).toContain('objects');
    await gateway.start();
    await until('the store is used again', async () => (await upload('objects')).status === 204);
    await until('all of the image is gone', async () => (await holders(id)).length === 0);
  });

  it('goes on with its files when the whole cluster dies, and uses it again when that is back', async () => {
    const id = await everywhere();
    await Promise.all([ceph.osd.kill(), ceph.mon.kill()]);
    expect((await upload('files')).status).toBe(204);
    expect((await upload('ceph')).status).toBe(503);
    await expectData(id);
    await ceph.mon.start();
    await ceph.osd.start();
    for (const store of ['ceph', 'objects'] as const) {
      await until(`uploads to ${store} come back`, async () => (await upload(store)).status === 204);
    }
    expect(await holders(id)).toEqual(all);
    expect((await images.remove(id)).status).toBe(204);
    await until('all of the image is gone', async () => (await holders(id)).length === 0);
  });
});
