import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type ImageClient, imageClient } from './image-client.js';
import { type Service, startService, target } from './service.js';
import { type StockClients, stockClients, tableRecord, tableRows } from './stock-clients.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const stores = ['fast', 'slow', 'spare'];

// Debian's Glance would need another configuration; what differs from it is in docs/differences-from-glance.md.
describe.runIf(target === 'ours')('imports by python-glanceclient', { concurrent: true, timeout: 600_000 }, () => {
  const disks = scratchDirectory('disk');
  const data = randomBytes(5 * MiB);
  let service: Service;
  let clients: StockClients;
  let images: ImageClient;

  beforeAll(async () => {
    const places = stores.map((id) => [id, { filesystem_store_datadir: join(disks.path, id) }] as const);
    service = await startService({
      settings: { enabled_backends: stores.map((id) => `${id}:file`).join(','), web_download_retries: 1 },
      groups: {
        ...Object.fromEntries(places),
        glance_store: { default_backend: 'fast' },
        import_filtering_opts: { allowed_ports: '[]', allowed_networks: '127.0.0.0/8' },
        os_glance_staging_store: { filesystem_store_datadir: join(disks.path, 'staging') },
      },
    });
    clients = stockClients(service.url);
    images = imageClient(service.url);
    writeFileSync(join(clients.directory, 'disk.raw'), data);
  });
  afterAll(async () => {
    clients.close();
    await service.close();
    disks.remove();
  });

  const formats = ['--disk-format', 'raw', '--container-format', 'bare'];
  const show = async (id: string) => tableRecord(await clients.glance('image-show', id));
  const holders = (id: string): string[] => stores.filter((store) => readdirSync(join(disks.path, store)).includes(id));
  const active = (id: string) => until('the image is active', async () => (await images.image(id)).status === 'active');
  const tasks = async (id: string): Promise<string[][]> => tableRows(await clients.glance('image-tasks', id));

  it('stages an image, imports it into two stores, and copies it into the rest', async () => {
    const { id = '' } = tableRecord(await clients.glance('image-create', '--name', 'staged', ...formats));
    await clients.glance('image-stage', '--file', 'disk.raw', id);
    expect(await show(id)).toMatchObject({ status: 'uploading', size: String(data.length) });
    await clients.glance('image-import', '--import-method', 'glance-direct', '--stores', 'fast,slow', id);
    await active(id);
    expect(await show(id)).toMatchObject({ stores: 'fast,slow', os_glance_failed_import: '' });
    expect(holders(id)).toEqual(['fast', 'slow']);
    await clients.glance('image-import', '--import-method', 'copy-image', '--all-stores', 'True', id);
    await until('it is copied', () => holders(id).length === 3);
    await until('the copy is told', async () => (await show(id))['stores'] === 'fast,slow,spare');
    expect(readFileSync(join(disks.path, 'spare', id)).equals(data)).toBe(true);
    expect((await tasks(id)).map(([, status]) => status)).toEqual(['success', 'success']);
    await clients.glance('image-delete', id);
    expect(holders(id)).toEqual([]);
  });

  it('creates an image by import with one command', async () => {
    const output = await clients.glance(
      ...['image-create-via-import', '--name', 'at once', '--file', 'disk.raw', ...formats],
      ...['--import-method', 'glance-direct'],
    );
    const { id = '' } = tableRecord(output);
    await active(id);
    expect(holders(id)).toEqual(['fast']);
    expect(readdirSync(join(disks.path, 'staging'))).not.toContain(id);
  });

  it('imports from a web server that breaks, and says why not from where nobody should look', async () => {
    const server = createServer((request, response) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const range = { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` };
      response.writeHead(from > 0 ? 206 : 200, {
        etag: '"1"',
        'content-length': data.length - from,
        ...(from > 0 && range),
      });
      const part = data.subarray(from, from + 2 * MiB);
      if (from + part.length === data.length) response.end(part);
      else response.write(part, () => response.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/disk.raw`;
    const method = ['--import-method', 'web-download', '--uri'];
    const { id = '' } = tableRecord(await clients.glance('image-create-via-import', ...formats, ...method, uri));
    await active(id);
    server.close();
    expect((await images.download(id)).body.equals(data)).toBe(true);
    const other = tableRecord(await clients.glance('image-create', ...formats))['id'] ?? '';
    const refused = clients.glance('image-import', ...method, 'http://0xa9fea9fe/latest/meta-data', other);
    await expect(refused).rejects.toThrow(/does not pass the filter/);
  });

  it('reads why an import failed, and repeats it', async () => {
    const { id = '' } = tableRecord(
      await clients.glance('image-create', '--disk-format', 'qcow2', '--container-format', 'bare'),
    );
    await clients.glance('image-stage', '--file', 'disk.raw', id);
    await clients.glance('image-import', '--import-method', 'glance-direct', id);
    await until('the image is queued again', async () => (await images.image(id)).status === 'queued');
    const told = (await clients.glance('image-tasks', id)).replaceAll(/[|\s]+/g, ' ');
    expect(told).toMatch(/failure/);
    expect(told).toMatch(/failed at .*qcow2/);
    await clients.glance('image-update', '--disk-format', 'raw', id);
    await clients.glance('image-stage', '--file', 'disk.raw', id);
    await clients.glance('image-import', '--import-method', 'glance-direct', id);
    await active(id);
  });

  it('lists and shows tasks, and which methods and stores there are', async () => {
    expect(await clients.glance('import-info')).toContain('glance-direct');
    expect(await clients.glance('stores-info')).toContain('spare');
    const input = JSON.stringify({
      import_from: 'http://127.0.0.1:9/x',
      import_from_format: 'raw',
      image_properties: { name: 'by task' },
    });
    const { id = '' } = tableRecord(await clients.glance('task-create', '--type', 'import', '--input', input));
    expect(tableRows(await clients.glance('task-list', '--type', 'import')).map(([task]) => task)).toContain(id);
    await until(
      'the task is over',
      async () => tableRecord(await clients.glance('task-show', id))['status'] === 'failure',
    );
    expect(tableRecord(await clients.glance('task-show', id))['message']).toMatch(/The import failed/);
  });
});
