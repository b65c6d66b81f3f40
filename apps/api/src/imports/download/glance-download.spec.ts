import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keystoneSettings } from '../../testing/keystone-settings.js';
import { startService, type TestService } from '../../testing/service.js';
import { pattern, put, raw } from '../../testing/uploading.js';
import { serve, type WebServer, webServer } from '../../testing/web-server.js';

const MiB = 1024 * 1024;
const data = pattern(5 * MiB);

let remote: TestService;
let keystone: WebServer;
let service: TestService;
/** Where the catalogue says that the image service of the other region is. */
let remoteUrl: string;
beforeAll(async () => {
  remote = await startService();
  keystone = await webServer((request, response) => {
    const endpoints = [
      { interface: 'public', region_id: 'Here', url: 'http://192.0.2.1' },
      { interface: 'internal', region_id: 'There', url: 'http://192.0.2.1' },
      { interface: 'public', region_id: 'There', url: `${remoteUrl}/` },
    ];
    response.statusCode = request.headers['x-auth-token'] === 'alice' ? 200 : 401;
    response.end(JSON.stringify({ catalog: [{ type: 'image', endpoints }] }));
  });
  service = await startService({
    settings: {
      allowedPorts: [],
      allowedNetworks: ['127.0.0.0/8'],
      webDownloadRetries: 1,
      enabledImportMethods: ['glance-download'],
      keystone: { ...keystoneSettings, authUrl: `http://127.0.0.1:${keystone.port}` },
    },
  });
});
beforeEach(() => void (remoteUrl = remote.api.url));
afterAll(async () => {
  await service.close();
  await keystone.close();
  await remote.close();
});

const idOf = (path: string): string => path.split('/').at(-1)!;

const ask = (
  path: string,
  from: string,
  changes = {},
  headers: Record<string, string> = { 'x-auth-token': 'alice' },
) => {
  const method = { name: 'glance-download', glance_region: 'there', glance_image_id: idOf(from), ...changes };
  return service.ask('POST', `${path}/import`, { body: JSON.stringify({ method }), headers });
};

interface Task {
  readonly status: string;
  readonly message: string;
}

async function imported(path: string, from: string, changes = {}, headers?: Record<string, string>): Promise<Task> {
  expect((await ask(path, from, changes, headers)).status).toBe(202);
  const newest = async () => (await service.ask('GET', `${path}/tasks`)).json<{ tasks: Task[] }>().tasks[0]!;
  await expect.poll(newest, { timeout: 20_000 }).toSatisfy(({ status }: Task) => /success|failure/.test(status));
  return newest();
}

describe('an import from the Glance of another region', () => {
  it('brings the data, the formats and the properties that are taken over', async () => {
    const from = await remote.create({
      ...raw,
      hw_disk_bus: 'virtio',
      os_type: 'linux',
      note: 'private',
      disk_format: 'ami',
    });
    await put(remote, from, data);
    const path = await service.create({ ...raw, note: 'mine', disk_format: 'iso' });
    expect(await imported(path, from)).toMatchObject({ status: 'success' });
    const image = await service.show(path);
    expect(image).toMatchObject({
      status: 'active',
      size: data.length,
      disk_format: 'ami',
      container_format: 'bare',
      hw_disk_bus: 'virtio',
      os_type: 'linux',
      note: 'mine',
    });
    expect(service.driver.images.get(`memory://${idOf(path)}`)?.equals(data)).toBe(true);
    const { text } = await service.ask('GET', `${path}/tasks`);
    expect([text.includes('glance_image_id'), text.includes('alice')]).toEqual([true, false]);
  });

  it.each<[string, () => Promise<string>, object, Record<string, string>, RegExp]>([
    [
      'a region that there is not',
      () => remote.upload('a'),
      { glance_region: 'x' },
      {},
      /no image service .* in the region x/,
    ],
    [
      'an interface that there is not',
      () => remote.upload('a'),
      { glance_service_interface: 'admin' },
      {},
      /interface admin/,
    ],
    ['an image without data', () => remote.create(raw), {}, {}, /is queued; only one that is active/],
    ['no image', async () => '/3e37b0a5-3a2f-4a0c-9c1a-d1c9b7a8f0aa', {}, {}, /answered 404/],
    ['a token that is over', () => remote.upload('a'), {}, { 'x-auth-token': 'bob' }, /token is not valid any more/],
  ])('of %s fails with a cause, and changes nothing', async (_, make, changes, headers, message) => {
    const path = await service.create({ ...raw, disk_format: 'iso' });
    const task = await imported(path, await make(), changes, { 'x-auth-token': 'alice', ...headers });
    expect(task).toEqual(
      expect.objectContaining({ status: 'failure', message: expect.stringMatching(message) as string }),
    );
    expect(await service.show(path)).toMatchObject({ status: 'queued', size: null, disk_format: 'iso' });
  });

  it.each([
    ['no region', { glance_region: undefined }, {}],
    ['no UUID', { glance_image_id: 'disk' }, {}],
    ['no token', {}, { 'x-auth-token': '' }],
  ])('with %s is refused at once', async (_, changes, headers) => {
    const path = await service.create(raw);
    const from = await remote.upload('a');
    expect((await ask(path, from, changes, { 'x-auth-token': 'alice', ...headers })).status).toBe(400);
  });

  describe('that is not ours', () => {
    const described = { status: 'active', size: data.length, disk_format: 'raw', container_format: 'bare' };
    const id = '3e37b0a5-3a2f-4a0c-9c1a-d1c9b7a8f0aa';
    let glance: WebServer | undefined;
    const says = async (image: object, file = serve(data)): Promise<Task & { path: string }> => {
      glance = await webServer((request, response) => {
        if (request.url?.endsWith('/file')) file(request, response);
        else response.end(JSON.stringify(image));
      });
      remoteUrl = `http://127.0.0.1:${glance.port}`;
      const path = await service.create(raw);
      try {
        return { ...(await imported(path, id)), path };
      } finally {
        await glance.close();
      }
    };

    it('is read on after a break without proof of its version, for its digest is known', async () => {
      const digest = createHash('sha512').update(data).digest('hex');
      const image = { ...described, os_hash_algo: 'sha512', os_hash_value: digest };
      const { status } = await says(image, (request, response) => {
        const [, from = '0'] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
        const begin = Number(from);
        response.statusCode = begin > 0 ? 206 : 200;
        response.setHeader('content-length', data.length - begin);
        if (begin > 0) response.setHeader('content-range', `bytes ${begin}-${data.length - 1}/${data.length}`);
        if (begin > 0) response.end(data.subarray(begin));
        else response.write(data.subarray(0, 2 * MiB), () => response.destroy());
      });
      expect(status).toBe('success');
      expect(glance!.requests.map(({ headers }) => headers['x-auth-token'])).toEqual(['alice', 'alice', 'alice']);
    });

    it.each<[string, object, RegExp]>([
      ['another digest', { ...described, checksum: 'd41d8cd98f00b204e9800998ecf8427e' }, /md5 of the data is/],
      ['another size', { ...described, size: 1 }, /has 1 bytes there, and 5242880 are sent/],
      ['a format that there is not', { ...described, disk_format: 'floppy' }, /disk_format "floppy"/],
      ['no size', { ...described, size: null }, /does not say how large/],
      ['no JSON of an image', ['x'.repeat(2 * MiB)], /too long/],
    ])('and has %s is refused', async (_, image, message) => {
      const { path, ...task } = await says(image);
      expect(task).toMatchObject({ status: 'failure', message: expect.stringMatching(message) as string });
      expect(await service.show(path)).toMatchObject({ status: 'queued' });
      expect(service.driver.images.has(`memory://${idOf(path)}`)).toBe(false);
    });

    it('sets none of the attributes that are not properties', async () => {
      const { path } = await says({ ...described, os_type: 'linux', hw_list: ['a'], owner: 'them' });
      expect(await service.show(path)).toMatchObject({ os_type: 'linux', owner: null });
      expect(Object.keys(await service.show(path))).not.toContain('hw_list');
    });
  });
});
