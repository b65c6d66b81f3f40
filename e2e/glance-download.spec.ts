import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type DebianGlance, debianGlance } from './debian-glance.js';
import { imageClient } from './image-client.js';
import { send } from './http.js';
import { type Service, startService } from './service.js';
import { until } from './until.js';

const data = randomBytes(20 * 1024 * 1024 + 1);
const disk = scratchDirectory('disk');
let remote: DebianGlance;
let catalogue: Server;
let service: Service;
let remoteUrl = '';

beforeAll(async () => {
  const files = join(disk.path, 'images');
  mkdirSync(files);
  remote = debianGlance(`sqlite:///${join(disk.path, 'glance.sqlite')}`, files);
  await remote.manage('db', 'sync');
  // What Keystone says of the other region.
  catalogue = createServer((_, response) => {
    const endpoints = [{ interface: 'public', region_id: 'Debian', url: remoteUrl }];
    response.end(JSON.stringify({ catalog: [{ type: 'image', endpoints }] }));
  }).listen(0, '127.0.0.1');
  await once(catalogue, 'listening');
  service = await startService({
    settings: { enabled_import_methods: '[glance-download]' },
    groups: {
      import_filtering_opts: { allowed_ports: '[]', allowed_networks: '127.0.0.0/8' },
      keystone_authtoken: { auth_url: `http://127.0.0.1:${(catalogue.address() as AddressInfo).port}` },
      glance_download_properties: { extra_properties: '[hw_, architecture]' },
    },
  });
});
afterAll(async () => {
  await service.close();
  catalogue.close();
  remote.remove();
  disk.remove();
});

it('glance-download takes an image over from Glance', async () => {
  await remote.serving(async (url) => {
    remoteUrl = url;
    const there = imageClient(url);
    const from = await there.create({ hw_disk_bus: 'scsi', architecture: 'x86_64', note: 'theirs' });
    expect((await there.upload(from, data)).status).toBe(204);
    const here = imageClient(service.url);
    const id = await here.create();
    const method = { name: 'glance-download', glance_region: 'Debian', glance_image_id: from };
    const headers = { 'content-type': 'application/json', 'x-auth-token': 'any' };
    const reply = await send('POST', `${service.url}/v2/images/${id}/import`, {
      headers,
      body: JSON.stringify({ method }),
    });
    expect(reply.status).toBe(202);
    await until('the image is active', async () => (await here.image(id)).status === 'active');
    const { os_hash_value: hash } = await there.image(from);
    expect(await here.image(id)).toMatchObject({ hw_disk_bus: 'scsi', architecture: 'x86_64', os_hash_value: hash });
    expect(await here.image(id)).not.toHaveProperty('note');
    expect((await here.download(id)).body.equals(data)).toBe(true);
  });
});
