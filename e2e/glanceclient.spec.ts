import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './command.js';
import { json, send } from './http.js';
import { type Service, startService, target } from './service.js';
import { type StockClients, stockClients, tableRecord, tableRows } from './stock-clients.js';

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

const path = (name: string): string => join(clients.directory, name);

async function create(...args: string[]): Promise<Record<string, string>> {
  return tableRecord(await clients.glance('image-create', ...args));
}
async function show(id: string): Promise<Record<string, string>> {
  return tableRecord(await clients.glance('image-show', id));
}
async function listed(...args: string[]): Promise<(string | undefined)[]> {
  return tableRows(await clients.glance('image-list', ...args)).map(([, name]) => name);
}

// Each call of the client takes a second of one core: so let the tests share both.
describe('python-glanceclient', { concurrent: true, timeout: 600_000 }, () => {
  it('registers, uploads, lists, shows, updates, downloads and deletes an image as the README says', async () => {
    writeFileSync(path('disk.raw'), randomBytes(8 * 1024 * 1024));
    await run('qemu-img', ['convert', '-O', 'qcow2', path('disk.raw'), path('X.qcow2')]);
    const data = readFileSync(path('X.qcow2'));
    const sha512 = createHash('sha512').update(data).digest('hex');

    const created = await create(
      ...['--name', 'centos7.9', '--file', 'X.qcow2', '--disk-format', 'qcow2', '--container-format', 'bare'],
      ...['--visibility', 'public', '--progress'],
    );
    expect(created).toMatchObject({
      name: 'centos7.9',
      status: 'active',
      visibility: 'public',
      disk_format: 'qcow2',
      container_format: 'bare',
      size: String(data.length),
      virtual_size: String(8 * 1024 * 1024),
      checksum: createHash('md5').update(data).digest('hex'),
      os_hash_algo: 'sha512',
      os_hash_value: sha512,
    });
    const id = created['id']!;
    expect(tableRows(await clients.glance('image-list'))).toContainEqual([id, 'centos7.9']);
    expect(await show(id)).toMatchObject({ id, os_hash_value: sha512 });
    const updated = tableRecord(await clients.glance('image-update', '--property', 'os_distro=centos', id));
    expect(updated).toMatchObject({ id, os_distro: 'centos' });
    await clients.glance('image-download', '--file', 'again.qcow2', '--progress', id);
    expect(readFileSync(path('again.qcow2')).equals(data)).toBe(true);
    await clients.glance('image-delete', id);
    expect(await clients.glanceFails('image-show', id)).toMatchObject({ code: 1, stdout: '' });
  });

  it('draws a progress bar to the end on a terminal', async () => {
    writeFileSync(path('bar.raw'), randomBytes(1024 * 1024));
    const printed = await clients.glanceOnTerminal(
      ...['image-create', '--file', 'bar.raw', '--disk-format', 'raw', '--container-format', 'bare', '--progress'],
    );
    expect(printed).toContain('[=============================>] 100%');
    expect(printed).toMatch(/status +\| active/);
  });

  it('uploads to a registered image, once', async () => {
    const data = randomBytes(100_000);
    writeFileSync(path('data'), data);
    const { id } = await create('--name', 'later', '--disk-format', 'raw', '--container-format', 'bare');
    expect(await show(id!)).toMatchObject({ status: 'queued', size: 'None', checksum: 'None' });
    expect((await clients.glanceFails('image-download', '--file', 'none', id!)).stderr).toContain('has no data');

    await clients.glance('image-upload', '--file', 'data', '--progress', id!);
    expect(await show(id!)).toMatchObject({ status: 'active', size: '100000', virtual_size: '100000' });
    const again = await clients.glanceFails('image-upload', '--file', 'data', id!);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/HTTP 409|Conflict/) as string });
    await clients.glance('image-download', '--file', 'data.back', id!);
    expect(readFileSync(path('data.back')).equals(data)).toBe(true);
  });

  it('changes attributes, properties and tags', async () => {
    const { id } = await create(
      ...['--name', 'before', '--property', 'one=1', '--property', 'two=2', '--tags', 'red', 'blue'],
      ...['--min-ram', '64', '--min-disk', '3', '--protected', 'True', '--os-distro', 'debian'],
    );
    expect(await show(id!)).toMatchObject({ one: '1', two: '2', os_distro: 'debian', protected: 'True' });
    await clients.glance(
      ...['image-update', id!, '--name', 'after', '--property', 'two=zwei', '--property', 'three=3'],
      ...['--remove-property', 'one', '--min-ram', '128', '--visibility', 'private', '--hidden', 'True'],
    );
    const after = await show(id!);
    expect(after).toMatchObject({ name: 'after', two: 'zwei', three: '3', min_ram: '128', os_hidden: 'True' });
    expect(after).toMatchObject({ min_disk: '3', visibility: 'private' });
    expect(after).not.toHaveProperty('one');

    await clients.glance('image-tag-update', id!, 'green');
    await clients.glance('image-tag-delete', id!, 'red');
    const tags = JSON.parse((await show(id!))['tags']!) as string[];
    expect(tags.sort()).toEqual(['blue', 'green']);
    expect((await clients.glanceFails('image-tag-delete', id!, 'red')).code).toBe(1);

    expect((await clients.glanceFails('image-delete', id!)).stderr).toContain('not permitted to delete');
    await clients.glance('image-update', id!, '--protected', 'False');
    await clients.glance('image-delete', id!);
  });

  it('lists by filter, in order and page by page', async () => {
    for (const name of ['list-c', 'list-a', 'list-b']) {
      await create(
        ...['--name', name, '--property', 'kind=listed', '--tags', 'all', name],
        ...(name === 'list-b' ? ['--visibility', 'community'] : ['--visibility', 'private']),
      );
    }
    const mine = ['--property-filter', 'kind=listed'];
    expect(await listed(...mine, '--sort', 'name:asc')).toEqual(['list-a', 'list-c']);
    expect(await listed(...mine, '--sort-key', 'name', '--sort-dir', 'desc')).toEqual(['list-c', 'list-a']);
    expect(await listed(...mine, '--visibility', 'community')).toEqual(['list-b']);
    expect(await listed('--tag', 'all', '--tag', 'list-c')).toEqual(['list-c']);
    expect(await listed('--property-filter', 'kind=other')).toEqual([]);
    expect(await listed(...mine, '--page-size', '1', '--sort', 'name:asc')).toEqual(['list-a', 'list-c']);
    expect(await listed(...mine, '--limit', '1', '--sort', 'name:asc')).toEqual(['list-a']);
    expect(tableRows(await clients.glance('--verbose', 'image-list', ...mine, '--limit', '1'))[0]).toContain('queued');
  });

  it('changes an image whose kernel is null, and finds it behind an endpoint that ends with a slash', async () => {
    const body = JSON.stringify({ name: 'no-kernel', kernel_id: null });
    const headers = { 'content-type': 'application/json' };
    const { id } = json(await send('POST', `${service.url}//v2//images`, { headers, body })) as { id: string };
    await clients.glance('image-update', id, '--name', 'still-no-kernel');
    const reply = await send('GET', `${service.url}//v2/images//${id}`);
    expect(json(reply)).toMatchObject({ name: 'still-no-kernel', kernel_id: null });
  });

  it('deactivates an image and activates it again', async () => {
    writeFileSync(path('small'), 'small');
    const { id } = await create('--file', 'small', '--disk-format', 'raw', '--container-format', 'bare');
    await clients.glance('image-deactivate', id!);
    expect(await show(id!)).toMatchObject({ status: 'deactivated' });
    await clients.glance('image-reactivate', id!);
    expect(await show(id!)).toMatchObject({ status: 'active' });
  });

  it('shares an image with projects', async () => {
    const { id } = await create('--name', 'shared', '--visibility', 'shared');
    const project = 'b363706f891f48019483f8bd6503c54b';
    await clients.glance('member-create', id!, project);
    expect(tableRows(await clients.glance('member-list', '--image-id', id!))).toEqual([[id, project, 'pending']]);
    await clients.glance('member-update', id!, project, 'accepted');
    const member = tableRecord(await clients.glance('member-get', id!, project));
    expect(member).toMatchObject({ image_id: id, member_id: project, status: 'accepted' });
    await clients.glance('member-delete', id!, project);
    expect(tableRows(await clients.glance('member-list', '--image-id', id!))).toEqual([]);
  });

  it('explains what an image is made of', async () => {
    const names = tableRows(await clients.glance('explain', 'image')).map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(['name', 'disk_format', 'visibility', 'os_hash_value', 'os_distro']));
  });

  it('says what was wrong with a request', async () => {
    const missing = '00000000-0000-4000-8000-000000000000';
    expect((await clients.glanceFails('image-show', missing)).stderr).toMatch(/404|No image found/);
    const unknown = await clients.glanceFails('image-create', '--disk-format', 'floppy');
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.stderr).toMatch(/floppy/);
  });

  // The property `stores` in the schema of images, which Glance always has, makes glance 4.1 fail from the second call
  // on: nobody notices with a login, because it then keeps the schema where it never looks.
  it.runIf(target === 'ours')('keeps working with the schema that it keeps from its first call', async () => {
    await clients.glanceWithSchema('image-list');
    expect(existsSync(path('home-with-schema/.glanceclient/image_schema.json'))).toBe(true);
    expect(await clients.glanceWithSchema('help', 'image-create')).toContain('--disk-format');
  });
});
