import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Image, type ImageChange, isServiceError } from '@glance/domain';
import { applyChanges } from './image-changes.js';

const image: Image = {
  id: '00000000-0000-0000-0000-000000000000',
  name: null,
  owner: 'alice',
  status: 'queued',
  visibility: 'shared',
  diskFormat: null,
  containerFormat: null,
  size: null,
  virtualSize: null,
  checksum: null,
  osHashAlgo: null,
  osHashValue: null,
  minDisk: 0,
  minRam: 0,
  protected: false,
  osHidden: false,
  properties: { a: '1', b: '2' },
  tags: ['t'],
  locations: [],
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
};

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'os_glance_x', 'os_glancex');
const value = fc.constantFrom('1', '2', '');
const change: fc.Arbitrary<ImageChange> = fc.oneof(
  fc.record({
    kind: fc.constant('attribute' as const),
    set: fc.record({ name: value, minRam: fc.nat(9) }, { requiredKeys: [] }),
  }),
  fc.record({ kind: fc.constant('tags' as const), tags: fc.array(value, { maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('property' as const),
    op: fc.constant('add' as const),
    name,
    value,
    mustNotExist: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('property' as const), op: fc.constant('replace' as const), name, value }),
  fc.record({ kind: fc.constant('property' as const), op: fc.constant('remove' as const), name }),
);

/** What should happen, one change at a time, on a list of pairs; or the code of the error. */
function model(changes: readonly ImageChange[]): { pairs: [string, string][]; tags: string[]; set: object } | string {
  let pairs = Object.entries(image.properties) as [string, string][];
  let tags = [...image.tags];
  let set = {};
  for (const change of changes) {
    if (change.kind === 'attribute') set = { ...set, ...change.set };
    else if (change.kind === 'tags') tags = change.tags.filter((tag, index) => change.tags.indexOf(tag) === index);
    else if (change.kind === 'property') {
      if (/^os_glance/.test(change.name)) return 'Forbidden';
      const exists = pairs.some(([name]) => name === change.name);
      if (change.op === 'add' ? exists && change.mustNotExist === true : !exists) return 'Conflict';
      pairs = pairs.filter(([name]) => name !== change.name);
      if (change.op !== 'remove') pairs.push([change.name, change.value!]);
    }
  }
  return { pairs, tags, set };
}

describe('changes of an image', () => {
  it('apply in order, all or none, and leave the image itself alone', () => {
    const before = structuredClone(image);
    const property = fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      const wanted = model(changes);
      if (typeof wanted === 'string') {
        expect(() => applyChanges(image, changes)).toThrow(expect.objectContaining({ code: wanted }) as Error);
      } else {
        const after = applyChanges(image, changes);
        expect(Object.entries(after.properties).sort()).toEqual(wanted.pairs.sort());
        expect(after.tags).toEqual(wanted.tags.sort());
        const { properties: _, tags: __, ...rest } = after;
        const { properties: ___, tags: ____, ...old } = image;
        expect(rest).toEqual({ ...old, ...wanted.set });
      }
      expect(image).toEqual(before);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it.each(['queued', 'importing'] as const)('may set the formats of an image that is %s', (status) => {
    const changed = applyChanges({ ...image, status }, [{ kind: 'attribute', set: { diskFormat: 'raw' } }]);
    expect(changed.diskFormat).toBe('raw');
  });

  it.each(['saving', 'active', 'deactivated'] as const)('may not set the formats of an image that is %s', (status) => {
    const set = { containerFormat: 'bare' };
    const change = (): Image =>
      applyChanges({ ...image, status, containerFormat: 'bare' }, [{ kind: 'attribute', set }]);
    expect(change).toThrow(expect.objectContaining({ code: 'Forbidden' }) as Error);
  });

  it.each<[string, ImageChange]>([
    ['a name of 256 characters', { kind: 'attribute', set: { name: 'x'.repeat(256) } }],
    ['a name with an emoji', { kind: 'attribute', set: { name: 'disk 💾' } }],
    ['half a surrogate pair', { kind: 'attribute', set: { name: '\ud800' } }],
    ['a NUL character', { kind: 'attribute', set: { name: 'a\0b' } }],
    ['a tag of 256 characters', { kind: 'tags', tags: ['x'.repeat(256)] }],
    ['a property name of 256 characters', { kind: 'property', op: 'add', name: 'x'.repeat(256), value: '' }],
    ['a property of 64 KiB', { kind: 'property', op: 'add', name: 'x', value: 'x'.repeat(65_536) }],
    ['a property of 64 KiB in UTF-8', { kind: 'property', op: 'add', name: 'x', value: 'ä'.repeat(32_768) }],
    ['a property without a value', { kind: 'property', op: 'add', name: 'x' }],
    ['a negative size of memory', { kind: 'attribute', set: { minRam: -1 } }],
    ['a size of disk beyond 32 bits', { kind: 'attribute', set: { minDisk: 2 ** 31 } }],
  ])('may not bring %s', (_, change) => {
    const caught = ((): unknown => {
      try {
        return applyChanges(image, [change]);
      } catch (error) {
        return error;
      }
    })();
    expect(isServiceError(caught, 'Invalid')).toBe(true);
  });

  it('may be as long as the columns', () => {
    const change: ImageChange = { kind: 'property', op: 'add', name: 'x'.repeat(255), value: 'x'.repeat(65_535) };
    expect(applyChanges(image, [change]).properties['x'.repeat(255)]).toHaveLength(65_535);
  });
});
