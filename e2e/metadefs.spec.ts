import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './command.js';
import { command, type Service, startService, target } from './service.js';
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
const record = async (...args: string[]): Promise<Record<string, string>> => tableRecord(await clients.glance(...args));
/** The first column. */
const names = async (...args: string[]): Promise<string[]> =>
  tableRows(await clients.glance(...args)).map(([name]) => name!);
const manage = (...args: string[]): Promise<unknown> =>
  run(command('glance-manage'), ['--config-file', service.configFile, 'db', ...args], { cwd: clients.directory });

/** Glance needs to be told an owner by callers without a project. */
const create = (namespace: string, ...args: string[]): Promise<Record<string, string>> =>
  record('md-namespace-create', namespace, '--owner', 'somebody', ...args);

const schema = (value: object): string[] => ['--schema', JSON.stringify(value)];

// Each call of the client takes a second of one core: so let the tests share both.
describe('glance md-*', { concurrent: true, timeout: 600_000 }, () => {
  it('namespaces: create, list, show, update, delete', async () => {
    const created = await create(
      'E::Space',
      '--display-name',
      'Space',
      '--visibility',
      'public',
      '--protected',
      'True',
    );
    expect(created).toMatchObject({
      namespace: 'E::Space',
      display_name: 'Space',
      owner: 'somebody',
      protected: 'True',
    });
    await create('E::Hidden');
    expect(await names('md-namespace-list', '--page-size', '1')).toEqual(
      expect.arrayContaining(['E::Space', 'E::Hidden']),
    );
    expect(await names('md-namespace-list', '--visibility', 'private')).not.toContain('E::Space');
    expect(await record('md-namespace-show', 'E::Space')).toMatchObject({ visibility: 'public' });
    expect((await clients.glanceFails('md-namespace-delete', 'E::Space')).stderr).toMatch(/403|protected/);
    const updated = await record(
      ...['md-namespace-update', 'E::Space', '--protected', 'False', '--description', 'About it'],
    );
    expect(updated).toMatchObject({ display_name: 'Space', description: 'About it', protected: 'False' });
    await clients.glance('md-namespace-delete', 'E::Space');
    expect((await clients.glanceFails('md-namespace-show', 'E::Space')).stderr).toMatch(/404|not found|no namespace/i);
  });

  it('namespaces from a file, as on a resource, and all of a kind deleted', async () => {
    const namespace = {
      ...{ namespace: 'E::File', owner: 'somebody', visibility: 'public' },
      resource_type_associations: [{ name: 'E::Server', prefix: 'e_' }],
      properties: { kind: { title: 'Kind', type: 'string', enum: ['a', 'b'], default: 'a' } },
      objects: [
        { name: 'box', required: ['size'], properties: { size: { title: 'Size', type: 'integer', minimum: 1 } } },
      ],
      tags: [{ name: 'red' }, { name: 'blue' }],
    };
    writeFileSync(path('namespace.json'), JSON.stringify(namespace));
    const imported = await record('md-namespace-import', '--file', path('namespace.json'));
    expect(JSON.parse(imported['properties']!)).toEqual(['kind']);
    const shown = await record('md-namespace-show', 'E::File', '--resource-type', 'E::Server');
    expect(JSON.parse(shown['properties']!)).toEqual(['e_kind']);
    expect(JSON.parse(shown['objects']!)).toEqual(['box']);
    expect(JSON.parse(shown['tags']!)).toEqual(['blue', 'red']);
    expect(await names('md-namespace-list', '--resource-types', 'E::Server')).toEqual(['E::File']);
    for (const kind of ['properties', 'objects', 'tags'])
      await clients.glance(`md-namespace-${kind}-delete`, 'E::File');
    const empty = await record('md-namespace-show', 'E::File');
    for (const kind of ['properties', 'objects', 'tags']) expect(empty).not.toHaveProperty(kind);
  });

  it('resource types: associate, list, deassociate', async () => {
    await create('E::Types');
    const associated = await record(
      ...[
        'md-resource-type-associate',
        'E::Types',
        '--name',
        'E::Thing',
        '--prefix',
        't:',
        '--properties-target',
        'image',
      ],
    );
    expect(associated).toMatchObject({ name: 'E::Thing', prefix: 't:', properties_target: 'image' });
    expect(await names('md-resource-type-list')).toContain('E::Thing');
    const list = tableRows(await clients.glance('md-namespace-resource-type-list', 'E::Types'));
    expect(list).toEqual([['E::Thing', 't:', 'image']]);
    await clients.glance('md-resource-type-deassociate', 'E::Types', 'E::Thing');
    expect(await names('md-namespace-resource-type-list', 'E::Types')).toEqual([]);
  });

  it('properties: create, list, show, update, delete', async () => {
    await create('E::Properties');
    const wanted = schema({ type: 'integer', minimum: 1, maximum: 9, default: 3, description: 'How many' });
    const created = await record('md-property-create', 'E::Properties', '--name', 'n', '--title', 'Number', ...wanted);
    expect(created).toMatchObject({ name: 'n', title: 'Number', type: 'integer', minimum: '1', default: '3' });
    const twice = ['md-property-create', 'E::Properties', '--name', 'n', '--title', 'Number', ...wanted];
    expect((await clients.glanceFails(...twice)).stderr).toMatch(/409|Conflict|already/);
    const list = tableRows(await clients.glance('md-property-list', 'E::Properties'));
    expect(list).toEqual([['n', 'Number', 'integer']]);
    await clients.glance('md-property-update', 'E::Properties', 'n', '--name', 'm', '--title', 'Amount');
    const shown = await record('md-property-show', 'E::Properties', 'm');
    expect(shown).toMatchObject({ name: 'm', title: 'Amount', type: 'integer', maximum: '9' });
    const wrong = ['md-property-create', 'E::Properties', '--name', 'x', '--title', 'x', ...schema({ type: 'word' })];
    expect((await clients.glanceFails(...wrong)).code).toBe(1);
    await clients.glance('md-property-delete', 'E::Properties', 'm');
    expect(await names('md-property-list', 'E::Properties')).toEqual([]);
  });

  it('objects: create, list, show, update, delete', async () => {
    await create('E::Objects');
    const wanted = {
      description: 'A box',
      required: ['size'],
      properties: { size: { title: 'Size', type: 'integer' } },
    };
    const created = await record('md-object-create', 'E::Objects', '--name', 'box', ...schema(wanted));
    expect(created).toMatchObject({ name: 'box', description: 'A box', properties: '["size"]' });
    expect(tableRows(await clients.glance('md-object-list', 'E::Objects'))).toEqual([['box', 'A box']]);
    const property = await record('md-object-property-show', 'E::Objects', 'box', 'size');
    expect(property).toMatchObject({ name: 'size', title: 'Size', type: 'integer' });
    const changed = schema({ description: 'A crate' });
    const updated = await record('md-object-update', 'E::Objects', 'box', '--name', 'crate', ...changed);
    expect(updated).toMatchObject({ name: 'crate', description: 'A crate', properties: '["size"]' });
    expect(await record('md-object-show', 'E::Objects', 'crate')).toMatchObject({ required: '["size"]' });
    await clients.glance('md-object-delete', 'E::Objects', 'crate');
    expect(await names('md-object-list', 'E::Objects')).toEqual([]);
  });

  it('tags: create one or many, list, show, update, delete', async () => {
    await create('E::Tags');
    expect(await record('md-tag-create', 'E::Tags', '--name', 'old')).toMatchObject({ name: 'old' });
    const many = (list: string, ...more: string[]): Promise<string[]> =>
      names('md-tag-create-multiple', 'E::Tags', '--names', list, ...more);
    expect(await many('red:green', '--delim', ':')).toEqual(['red', 'green']);
    expect(await names('md-tag-list', 'E::Tags')).toEqual(['green', 'red']);
    // glance: 4.1 cannot send the header of its own --append.
    const appended = await fetch(`${service.url}/v2/metadefs/namespaces/E::Tags/tags`, {
      method: 'POST',
      headers: { 'x-openstack-append': 'True' },
      body: JSON.stringify({ tags: [{ name: 'blue' }] }),
    });
    expect([appended.status, await appended.json()]).toEqual([201, { tags: [{ name: 'blue' }] }]);
    expect(await names('md-tag-list', 'E::Tags')).toHaveLength(3);
    await clients.glance('md-tag-update', 'E::Tags', 'red', '--name', 'rouge');
    expect(await record('md-tag-show', 'E::Tags', 'rouge')).toMatchObject({ name: 'rouge' });
    await clients.glance('md-tag-delete', 'E::Tags', 'rouge');
    expect((await names('md-tag-list', 'E::Tags')).sort()).toEqual(['blue', 'green']);
  });
});

describe('glance-manage', { timeout: 600_000 }, () => {
  it('loads the definitions of Glance, for clients to read, and exports them', async () => {
    const source = '/etc/glance/metadefs';
    // Glance cannot export namespaces without a display name.
    await manage('unload_metadefs');
    await manage('load_metadefs', '--path', source);
    const listed = await names('md-namespace-list', '--page-size', '10');
    const expected = readdirSync(source).map(
      (file) => (JSON.parse(readFileSync(join(source, file), 'utf8')) as { namespace: string }).namespace,
    );
    expect(listed).toEqual(expect.arrayContaining(expected));
    for (const namespace of expected.slice(0, 3)) {
      const shown = await record('md-namespace-show', namespace);
      expect(shown).toMatchObject({ namespace, owner: 'admin' });
    }
    mkdirSync(path('export'));
    // Glance puts the path before the names of the files as it is.
    await manage('export_metadefs', '--path', `${path('export')}/`);
    expect(readdirSync(path('export')).length).toBeGreaterThanOrEqual(expected.length);
    await manage('unload_metadefs');
    expect(await names('md-namespace-list')).toEqual([]);
  });

  it.runIf(target === 'ours')('loads our own definitions, which clients accept', async () => {
    await manage('load_metadefs');
    for (const namespace of await names('md-namespace-list')) {
      expect(await record('md-namespace-show', namespace)).toMatchObject({ namespace, protected: 'True' });
    }
    const bus = await record('md-property-show', 'OS::Compute::LibvirtImage', 'disk_bus');
    expect(JSON.parse(bus['enum']!)).toContain('virtio');
  });
});
