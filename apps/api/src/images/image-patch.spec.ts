import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../testing/formats.js';
import { thrown } from '../testing/thrown.js';
import { imageChanges, patchDialect, type PatchRules, type PatchStep } from './image-patch.js';

const rules: PatchRules = { ...formats, locations: null };
const changes21 = (...body: unknown[]): PatchStep[] => imageChanges(body, '2.1', rules);
const changes20 = (...body: unknown[]): PatchStep[] => imageChanges(body, '2.0', rules);

describe('the media type of a patch', () => {
  it.each([
    ['application/openstack-images-v2.1-json-patch', '2.1'],
    ['Application/OpenStack-Images-v2.0-JSON-Patch; charset=utf-8', '2.0'],
  ])('%s is the notation %s', (type, dialect) => {
    expect(patchDialect(type)).toBe(dialect);
  });

  it.each([undefined, '', 'application/json', 'application/json-patch+json', 'constructor'])('%s is none', (type) => {
    expect(thrown(() => patchDialect(type))).toBe('UnsupportedMediaType');
  });
});

describe('a patch in the notation 2.1', () => {
  it('sets attributes, replaces tags, adds and removes properties, in this order', () => {
    expect(
      changes21(
        { op: 'replace', path: '/name', value: 'new' },
        { op: 'add', path: '/min_disk', value: 3 },
        { op: 'replace', path: '/tags', value: ['a', 'b', 'a'] },
        { op: 'add', path: '/os_distro', value: 'debian' },
        { op: 'replace', path: '/os_distro', value: 'centos' },
        { op: 'remove', path: '/os_distro' },
      ),
    ).toEqual([
      { kind: 'attribute', set: { name: 'new' } },
      { kind: 'attribute', set: { minDisk: 3 } },
      { kind: 'tags', tags: ['a', 'b'] },
      { kind: 'property', op: 'add', name: 'os_distro', value: 'debian' },
      { kind: 'property', op: 'replace', name: 'os_distro', value: 'centos' },
      { kind: 'property', op: 'remove', name: 'os_distro' },
    ]);
  });

  it('may be empty', () => {
    expect(changes21()).toEqual([]);
  });

  it('unescapes a slash and a tilde in a name', () => {
    expect(changes21({ op: 'remove', path: '/a~1b~01' })).toEqual([{ kind: 'property', op: 'remove', name: 'a/b~1' }]);
  });

  it.each([
    ['an object', { op: 'remove', path: '/x' }],
    ['null', null],
    ['text', 'x'],
  ])('is refused when it is %s', (_what, body) => {
    expect(thrown(() => imageChanges(body, '2.1', rules))).toBe('Invalid');
  });

  it.each([
    'text',
    null,
    [],
    {},
    { op: 'move', path: '/x', from: '/y' },
    { op: 'copy', path: '/x', from: '/y' },
    { op: 'test', path: '/x', value: 'y' },
    { op: 1, path: '/x', value: 'y' },
    { path: '/x', value: 'y' },
    { op: 'add', path: '/x' },
    { op: 'replace', path: '/name' },
    { op: 'add', value: 'y' },
    { op: 'add', path: 3, value: 'y' },
    { op: 'add', path: '', value: 'y' },
    { op: 'add', path: 'x', value: 'y' },
    { op: 'add', path: '/', value: 'y' },
    { op: 'add', path: '/x/', value: 'y' },
    { op: 'add', path: '//x', value: 'y' },
    { op: 'add', path: '/tags/-', value: 'y' },
    { op: 'add', path: '/x~', value: 'y' },
    { op: 'add', path: '/x~2', value: 'y' },
    { op: 'add', path: '/__proto__', value: 'y' },
    { op: 'add', path: `/${'x'.repeat(256)}`, value: 'y' },
    { op: 'add', path: '/x', value: 1 },
    { op: 'add', path: '/x', value: null },
    { op: 'add', path: '/x', value: { y: 'z' } },
    { op: 'add', path: '/x', value: 'x'.repeat(65_536) },
    { op: 'add', path: '/x', value: 'ü'.repeat(40_000) },
    { op: 'add', path: '/x', value: '😀' },
    { op: 'add', path: '/😀', value: 'x' },
    { op: 'replace', path: '/name', value: 'x'.repeat(256) },
    { op: 'replace', path: '/name', value: 5 },
    { op: 'replace', path: '/visibility', value: 'secret' },
    { op: 'replace', path: '/visibility', value: null },
    { op: 'replace', path: '/disk_format', value: 'floppy' },
    { op: 'replace', path: '/min_ram', value: -1 },
    { op: 'replace', path: '/min_ram', value: 1.5 },
    { op: 'replace', path: '/min_ram', value: 2_147_483_648 },
    { op: 'replace', path: '/min_ram', value: '3' },
    { op: 'replace', path: '/protected', value: 'true' },
    { op: 'replace', path: '/os_hidden', value: null },
    { op: 'replace', path: '/tags', value: 'a' },
    { op: 'replace', path: '/tags', value: [1] },
    { op: 'replace', path: '/tags', value: ['x'.repeat(256)] },
    { op: 'replace', path: '/kernel_id', value: 'vmlinuz' },
    { op: 'replace', path: '/cinder_encryption_key_deletion_policy', value: 'maybe' },
  ])('is refused as a whole for %j', (step) => {
    expect(thrown(() => changes21({ op: 'add', path: '/fine', value: 'x' }, step))).toBe('Invalid');
  });

  it.each([
    'created_at',
    'updated_at',
    'status',
    'checksum',
    'size',
    'virtual_size',
    'direct_url',
    'self',
    'file',
    'schema',
    'stores',
    'id',
    'os_hash_algo',
    'os_hash_value',
    'deleted',
    'deleted_at',
    'location',
    'os_glance_import_task',
    'os_glancex',
  ])('may not touch %s', (name) => {
    for (const op of ['add', 'replace', 'remove']) {
      expect(thrown(() => changes21({ op, path: `/${name}`, value: 'x' }))).toBe('Forbidden');
    }
  });

  it.each(['/locations/-', '/locations/0'])('may not touch %s where locations are hidden', (path) => {
    expect(thrown(() => changes21({ op: 'add', path, value: { url: 'file:///x', metadata: {} } }))).toBe('Forbidden');
  });

  it.each(['name', 'tags', 'visibility', 'min_disk'])('cannot remove %s, which every image has', (name) => {
    expect(thrown(() => changes21({ op: 'remove', path: `/${name}` }))).toBe('Forbidden');
  });

  it('takes null where an attribute may be unset', () => {
    expect(changes21({ op: 'replace', path: '/disk_format', value: null })).toEqual([
      { kind: 'attribute', set: { diskFormat: null } },
    ]);
    expect(changes21({ op: 'add', path: '/kernel_id', value: null })).toEqual([
      { kind: 'property', op: 'add', name: 'kernel_id', value: null },
    ]);
  });
});

describe('a patch in the notation 2.0', () => {
  it('names the path by its operation', () => {
    expect(changes20({ replace: '/name', value: 'new' }, { add: '/x', value: 'y' }, { remove: '/z' })).toEqual([
      { kind: 'attribute', set: { name: 'new' } },
      { kind: 'property', op: 'add', name: 'x', value: 'y', mustNotExist: true },
      { kind: 'property', op: 'remove', name: 'z' },
    ]);
  });

  it('cannot add an attribute, which is there already', () => {
    expect(thrown(() => changes20({ add: '/name', value: 'new' }))).toBe('Conflict');
    expect(thrown(() => changes20({ add: '/tags', value: [] }))).toBe('Conflict');
  });

  it.each([{}, { value: 'x' }, { add: '/x', remove: '/x', value: 'y' }, { op: 'add', path: '/x', value: 'y' }])(
    'is refused for %j',
    (step) => {
      expect(thrown(() => changes20(step))).toBe('Invalid');
    },
  );
});

describe('any patch', () => {
  const names = fc.constantFrom('os_distro', 'a', 'toString', 'constructor', 'hasOwnProperty', 'x~y', 'x/y');
  const step = fc.record({ op: fc.constantFrom('add', 'replace', 'remove'), name: names, value: fc.string() });

  it('means the same in both notations, but for an add', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const path = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        const plain = steps.map(({ op, name, value }) => ({ op, name, value: value.replace(/[\ud800-\udfff]/g, '') }));
        const one = changes21(...plain.map(({ op, name, value }) => ({ op, path: path(name), value })));
        const other = changes20(...plain.map(({ op, name, value }) => ({ [op]: path(name), value })));
        const model = plain.map(({ op, name, value }) => ({
          kind: 'property',
          op,
          name,
          ...(op !== 'remove' && { value }),
        }));
        expect(one).toEqual(model);
        expect(other).toEqual(
          model.map((change) => (change.op === 'add' ? { ...change, mustNotExist: true } : change)),
        );
      }),
    );
  });

  it('is either understood or refused, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom('op', 'path', 'value', 'add'), fc.jsonValue())),
        ),
        (body) => {
          expect([undefined, 'Invalid', 'Forbidden', 'Conflict']).toContain(thrown(() => changes21(...body)));
          expect([undefined, 'Invalid', 'Forbidden', 'Conflict']).toContain(thrown(() => changes20(...body)));
        },
      ),
    );
  });
});
