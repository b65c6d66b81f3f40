import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Images, namespaceFromJson } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, TestRegistry } from '../testing/registry.js';
import { loadMetadefs, unloadMetadefs } from './metadef-files.js';
import { MetadefsInDatabase } from './metadefs-in-database.js';

const onImages = (prefix?: string): object => ({ name: 'OS::Glance::Image', ...(prefix && { prefix }) });
const choice = (...values: string[]): object => ({ title: 'Choice', type: 'string', enum: values });

describe.each(databaseKinds)('image properties and their definitions on $name', (kind) => {
  let registry: TestRegistry;
  let metadefs: MetadefsInDatabase;
  let images: Images;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    metadefs = new MetadefsInDatabase(registry.database);
    images = registry.images({ checkDefinedProperties: true });
  });
  beforeEach(() => unloadMetadefs(registry.database));
  afterAll(() => registry.close());

  const define = async (namespace: string, more: object, visibility = 'public'): Promise<void> => {
    const associations = { resource_type_associations: [onImages('hw_'), { name: 'OS::Nova::Flavor', prefix: 'hw:' }] };
    await metadefs.createNamespace(admin, namespaceFromJson({ namespace, visibility, ...associations, ...more }));
  };
  const create = (properties: Record<string, string>): Promise<unknown> => images.create(alice, { properties });
  const set = (id: string, name: string, value: string): Promise<unknown> =>
    images.update(alice, id, [{ kind: 'property', op: 'add', name, value }]);

  it('agree, or the image is refused with the name of the definition', async () => {
    await define('Buses', { properties: { bus: choice('ide', 'virtio') } });
    await create({ hw_bus: 'virtio', 'hw:bus': 'free', bus: 'free', hw_busses: 'free' });
    const refused = { code: 'Invalid', message: /"hw_bus".*"Choice".*"Buses".*one of ide, virtio/ };
    await expect(create({ hw_bus: 'floppy' })).rejects.toMatchObject(refused);
    const { id } = await images.create(alice, {});
    await expect(set(id, 'hw_bus', 'floppy')).rejects.toMatchObject(refused);
    await set(id, 'hw_bus', 'ide');
    expect(await images.show(alice, id)).toMatchObject({ properties: { hw_bus: 'ide' } });
  });

  it('are checked inside of objects, and with no prefix', async () => {
    const limits = { name: 'limits', properties: { rate: { title: 'Rate', type: 'integer', minimum: 1 } } };
    await define('Objects', { objects: [limits], resource_type_associations: [onImages()] });
    await create({ rate: '1' });
    await expect(create({ rate: '0' })).rejects.toMatchObject({ message: /"rate".*"Objects".*at least 1/ });
  });

  it('are checked when they are set, not when something else is', async () => {
    const { id } = await images.create(alice, { properties: { hw_bus: 'floppy' } });
    await define('Buses', { properties: { bus: choice('ide') } });
    await set(id, 'other', 'x');
    await images.update(alice, id, [{ kind: 'attribute', set: { name: 'renamed' } }]);
    await expect(set(id, 'hw_bus', 'floppier')).rejects.toMatchObject({ code: 'Invalid' });
    await images.update(alice, id, [{ kind: 'property', op: 'remove', name: 'hw_bus' }]);
  });

  it('agree with one of several definitions', async () => {
    await define('A', { properties: { bus: choice('ide') } });
    await define('B', { properties: { bus: choice('usb') } });
    await create({ hw_bus: 'ide' });
    await create({ hw_bus: 'usb' });
    await expect(create({ hw_bus: 'floppy' })).rejects.toMatchObject({ message: /"A"/ });
  });

  it('are free where the definition is private, for other things, or the option is off', async () => {
    await define('Private', { properties: { bus: choice('ide') } }, 'private');
    await define('Flavors', {
      properties: { bus: choice('ide') },
      resource_type_associations: [{ name: 'OS::Nova::Flavor', prefix: 'hw_' }],
    });
    await create({ hw_bus: 'floppy' });
    await define('Public', { properties: { bus: choice('ide') } });
    await registry.images().create(alice, { properties: { hw_bus: 'floppy' } });
    await expect(create({ hw_bus: 'floppy' })).rejects.toMatchObject({ code: 'Invalid' });
  });

  it('of real images agree with our own definitions', async () => {
    await loadMetadefs(registry.database);
    await create({
      ...{ architecture: 'x86_64', os_distro: 'debian', os_version: '12', os_type: 'linux', hw_disk_bus: 'scsi' },
      ...{ hw_scsi_model: 'virtio-scsi', hw_qemu_guest_agent: 'yes', hw_rng_model: 'virtio', hw_machine_type: 'q35' },
      ...{ hw_firmware_type: 'uefi', os_secure_boot: 'optional', hw_mem_page_size: '2MB', hw_cpu_policy: 'dedicated' },
      ...{ image_build_date: '2026-11-01', replace_frequency: 'monthly', uuid_validity: 'last-3', hotfix_hours: '0' },
      ...{ provided_until: 'none', os_purpose: 'generic', hw_vif_multiqueue_enabled: 'true', img_hv_type: 'kvm' },
    });
    await expect(create({ hw_disk_bus: 'floppy' })).rejects.toMatchObject({ message: /OS::Compute::LibvirtImage/ });
    await expect(create({ hw_cpu_sockets: '0' })).rejects.toMatchObject({ message: /OS::Compute::VirtCPUTopology/ });
    await expect(create({ uuid_validity: 'soon' })).rejects.toMatchObject({ message: /OS::Glance::ImageLifecycle/ });
  });
});
