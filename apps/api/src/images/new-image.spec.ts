import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../testing/formats.js';
import { thrown } from '../testing/thrown.js';
import { newImage } from './new-image.js';

const id = 'B1D2C3E4-0000-4000-8000-00000000000f';

describe('the body of a create request', () => {
  it('may be empty', () => {
    expect(newImage({}, formats)).toEqual({ properties: {} });
  });

  it('sets attributes, tags, id, and makes properties of the rest', () => {
    expect(
      newImage(
        {
          id,
          name: 'cirros',
          owner: null,
          visibility: 'public',
          disk_format: 'qcow2',
          container_format: 'bare',
          min_disk: 1,
          min_ram: 2_147_483_647,
          protected: true,
          os_hidden: false,
          tags: ['b', 'a', 'b'],
          os_distro: 'cirros',
          ramdisk_id: null,
          kernel_id: id,
        },
        formats,
      ),
    ).toEqual({
      id,
      name: 'cirros',
      owner: null,
      visibility: 'public',
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      minDisk: 1,
      minRam: 2_147_483_647,
      protected: true,
      osHidden: false,
      tags: ['b', 'a'],
      properties: { os_distro: 'cirros', ramdisk_id: null, kernel_id: id },
    });
  });

  it('may carry the digest of a shown image, which is dropped', () => {
    expect(newImage({ os_hash_algo: 'sha512', os_hash_value: '00' }, formats)).toEqual({ properties: {} });
  });

  it.each([
    { id: 'mine' },
    { id: `${id}0` },
    { id: null },
    { name: 1 },
    { tags: null },
    { deleted: true },
    { os_hash_algo: 1 },
    { os_hash_value: 'f'.repeat(129) },
    { x: 1 },
    { x: null },
    { x: false },
    { x: ['y'] },
    { '': 'x' },
    { ['x'.repeat(256)]: 'y' },
    { name: '\ud83d' },
    { tags: ['😀'] },
  ])('is refused for %j', (body) => {
    expect(thrown(() => newImage(body, formats))).toBe('Invalid');
  });

  it.each([
    { created_at: '2026-11-22T18:00:00Z' },
    { updated_at: '2026-11-22T18:00:00Z' },
    { status: 'active' },
    { checksum: 'x' },
    { size: 1 },
    { virtual_size: 1 },
    { direct_url: 'x' },
    { self: 'x' },
    { file: 'x' },
    { schema: 'x' },
    { stores: 'x' },
    { locations: [] },
    { location: 'x' },
    { deleted_at: 'x' },
    { deleted: 'x' },
    { os_glance_import_task: 'x' },
    { os_glancefoo: 'x' },
  ])('may not set %j', (body) => {
    expect(thrown(() => newImage(body, formats))).toBe('Forbidden');
  });

  it('is either understood or refused, whatever it is', () => {
    const names = fc.oneof(fc.string(), fc.constantFrom('name', 'tags', 'id', 'owner', 'min_disk', 'constructor'));
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue()), (body) => {
        expect([undefined, 'Invalid', 'Forbidden']).toContain(thrown(() => newImage(body, formats)));
      }),
    );
  });
});
