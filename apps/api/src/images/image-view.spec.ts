import type { Image } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import { imageView, memberView } from './image-view.js';

const image: Image = {
  id: 'b1d2c3e4-0000-4000-8000-00000000000f',
  name: 'cirros',
  owner: 'p',
  status: 'active',
  visibility: 'shared',
  diskFormat: 'qcow2',
  containerFormat: 'bare',
  size: 3,
  virtualSize: null,
  checksum: 'md5',
  osHashAlgo: 'sha512',
  osHashValue: 'hash',
  minDisk: 0,
  minRam: 64,
  protected: false,
  osHidden: false,
  properties: { os_distro: 'cirros', kernel_id: null },
  tags: ['a'],
  locations: [
    { url: 'file:///one', metadata: { store: 'one' } },
    { url: 'rbd://two', metadata: { store: 'two' } },
  ],
  createdAt: '2026-11-22T18:00:00Z',
  updatedAt: '2026-11-22T18:00:01Z',
};

const show = (settings: Partial<Parameters<typeof imageView>[0]> = {}, of: Image = image) =>
  imageView({ directUrl: false, locations: false, stores: false, ...settings })(of);

describe('a shown image', () => {
  it('has its properties first and then the keys in the order of Glance', () => {
    expect(Object.keys(show({ directUrl: true, locations: true, stores: true }))).toEqual(
      (
        'os_distro kernel_id name disk_format container_format visibility size virtual_size status checksum protected ' +
        'min_ram min_disk owner os_hidden os_hash_algo os_hash_value id created_at updated_at locations direct_url ' +
        'tags self file schema stores'
      ).split(' '),
    );
  });

  it('has nulls, also for a property without a value', () => {
    expect(show()).toMatchObject({ virtual_size: null, kernel_id: null, min_ram: 64, tags: ['a'] });
  });

  it('says where its data lies only if it is told to', () => {
    expect(show()).not.toHaveProperty('locations');
    expect(show()).not.toHaveProperty('direct_url');
    expect(show()).not.toHaveProperty('stores');
    expect(show({ directUrl: true })).toHaveProperty('direct_url', 'file:///one');
    expect(show({ locations: true })).toHaveProperty('locations', image.locations);
    expect(show({ stores: true })).toHaveProperty('stores', 'one,two');
  });

  it('without data has an empty list of locations and neither a URL nor stores', () => {
    const shown = show({ directUrl: true, locations: true, stores: true }, { ...image, locations: [] });
    expect(shown['locations']).toEqual([]);
    expect(shown).not.toHaveProperty('direct_url');
    expect(shown).not.toHaveProperty('stores');
  });

  it('cannot have its attributes overwritten by a property', () => {
    expect(show({}, { ...image, properties: { status: 'queued', self: 'x' } })).toMatchObject({
      status: 'active',
      self: `/v2/images/${image.id}`,
    });
  });
});

describe('a shown member', () => {
  it('has its project, image, status and times', () => {
    const times = { createdAt: '2026-11-22T18:00:00Z', updatedAt: '2026-11-22T18:00:01Z' };
    expect(memberView({ imageId: 'i', memberId: 'm', status: 'pending', ...times })).toEqual({
      member_id: 'm',
      image_id: 'i',
      status: 'pending',
      created_at: times.createdAt,
      updated_at: times.updatedAt,
      schema: '/v2/schemas/member',
    });
  });
});
