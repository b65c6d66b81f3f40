import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, type Service, startService } from './service.js';
import { type StockClients, stockClients } from './stock-clients.js';

let service: Service;
let clients: StockClients;

beforeAll(async () => {
  service = await startService();
  clients = stockClients(service.url);
});
afterAll(async () => {
  clients.close();
  await service.close();
});

interface ShownImage {
  readonly id: string;
  readonly status: string;
  readonly properties: Record<string, unknown>;
  readonly tags: string[];
}

const path = (name: string): string => join(clients.directory, name);
const show = async (name: string): Promise<ShownImage> =>
  (await clients.openstackJson('image', 'show', name)) as ShownImage;

// Each call of the client takes a second of one core: so let the tests share both.
describe('python-openstackclient', { concurrent: true, timeout: 600_000 }, () => {
  it('creates, lists, shows, changes, saves and deletes an image', async () => {
    const data = randomBytes(3_000_000);
    writeFileSync(path('data'), data);
    await clients.openstack(
      ...['image', 'create', 'osc', '--file', path('data'), '--disk-format', 'raw', '--container-format', 'bare'],
      ...['--public', '--property', 'hw_disk_bus=virtio', '--tag', 'first', '--min-disk', '1', '--min-ram', '64'],
    );
    const created = await show('osc');
    expect(created).toMatchObject({
      ...{ name: 'osc', status: 'active', visibility: 'public', size: 3_000_000, min_disk: 1, min_ram: 64 },
      ...{ checksum: createHash('md5').update(data).digest('hex'), tags: ['first'] },
    });
    expect(created.properties).toMatchObject({
      hw_disk_bus: 'virtio',
      os_hash_algo: 'sha512',
      os_hash_value: createHash('sha512').update(data).digest('hex'),
    });
    const all = (await clients.openstackJson('image', 'list')) as unknown[];
    expect(all).toContainEqual({ ID: created.id, Name: 'osc', Status: 'active' });

    await clients.openstack(
      ...['image', 'set', 'osc', '--name', 'osc-2', '--property', 'os_distro=debian', '--tag', 'second'],
      ...['--private', '--protected'],
    );
    await clients.openstack('image', 'unset', 'osc-2', '--property', 'hw_disk_bus', '--tag', 'first');
    const changed = await show('osc-2');
    expect(changed).toMatchObject({ id: created.id, visibility: 'private', protected: true, tags: ['second'] });
    expect(changed.properties).toMatchObject({ os_distro: 'debian' });
    expect(changed.properties).not.toHaveProperty('hw_disk_bus');

    await clients.openstack('image', 'save', '--file', path('saved'), 'osc-2');
    expect(readFileSync(path('saved')).equals(data)).toBe(true);
    await clients.openstack('image', 'set', '--unprotected', 'osc-2');
    await clients.openstack('image', 'delete', 'osc-2');
    await expect(clients.openstack('image', 'show', 'osc-2')).rejects.toThrow(/No Image found for osc-2/);
  });

  it('lists by name, status, tag, property and visibility, sorted and limited', async () => {
    for (const name of ['filter-b', 'filter-a']) {
      await clients.openstack('image', 'create', name, '--shared', '--tag', 'filter', '--property', `kind=${name}`);
    }
    const names = async (...args: string[]): Promise<unknown[]> =>
      ((await clients.openstackJson('image', 'list', ...args)) as { Name: string }[]).map(({ Name }) => Name);
    expect(await names('--tag', 'filter')).toEqual(['filter-a', 'filter-b']);
    expect(await names('--tag', 'filter', '--sort', 'name:desc')).toEqual(['filter-b', 'filter-a']);
    expect(await names('--tag', 'filter', '--limit', '1')).toHaveLength(1);
    expect(await names('--name', 'filter-a', '--shared')).toEqual(['filter-a']);
    expect(await names('--tag', 'filter', '--status', 'deactivated')).toEqual([]);
    expect(await names('--property', 'kind=filter-b', '--long')).toEqual(['filter-b']);
    expect(await names('--tag', 'filter', '--public')).toEqual([]);
  });

  it('deactivates and activates an image', async () => {
    writeFileSync(path('small'), 'small');
    await clients.openstack('image', 'create', 'switch', '--file', path('small'), '--disk-format', 'raw');
    await clients.openstack('image', 'set', '--deactivate', 'switch');
    expect((await show('switch')).status).toBe('deactivated');
    await clients.openstack('image', 'set', '--activate', 'switch');
    expect((await show('switch')).status).toBe('active');
  });

  it('shares an image with a project', async () => {
    const project = '0123456789abcdef0123456789abcdef';
    await clients.openstack('image', 'create', 'for-others', '--shared');
    await clients.openstack('image', 'add', 'project', 'for-others', project);
    const members = (await clients.openstackJson('image', 'member', 'list', 'for-others')) as unknown[];
    expect(members).toMatchObject([{ 'Member ID': project, Status: 'pending' }]);
  });
});

describe('openstacksdk', () => {
  it('creates, uploads, finds, downloads, changes and deletes images', async () => {
    const data = randomBytes(2_000_000);
    writeFileSync(path('sdk-source'), data);
    const md5 = createHash('md5').update(data).digest('hex');
    const script = join(root, 'e2e/openstacksdk-journey.py');
    const seen = await clients.python(script, path('sdk-source'), path('sdk-copy'));
    expect(seen).toMatchObject({
      created: { status: 'active', size: data.length },
      found: { checksum: md5, hash_value: createHash('sha512').update(data).digest('hex') },
      downloaded_md5: md5,
      updated: { name: 'sdk-renamed', os_version: '12' },
      tags: ['from-sdk', 'second'],
      listed: expect.arrayContaining(['sdk-renamed']) as unknown,
      deactivated: 'deactivated',
      found_after_delete: false,
    });
  });
});
