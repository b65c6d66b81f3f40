import fc from 'fast-check';
import type { ImageQuery } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import { thrown } from '../testing/thrown.js';
import { imageQuery, pageLinks } from './image-query.js';

const query = (text: string): ImageQuery => imageQuery(new URLSearchParams(text), { default: 25, max: 1000 });
const filters = (text: string): ImageQuery['filters'] => query(text).filters;

describe('a list request without parameters', () => {
  it('asks for the newest 25', () => {
    expect(query('')).toEqual({ filters: [], sort: [{ key: 'createdAt', direction: 'desc' }], limit: 25 });
  });
});

describe('the size of a page', () => {
  it.each([
    ['limit=1', 1],
    ['limit=0', 0],
    ['limit=1000', 1000],
    ['limit=99999999999999999999', 1000],
    ['limit=5&limit=7', 7],
  ])('%s is %i', (text, limit) => {
    expect(query(text).limit).toBe(limit);
  });

  it.each(['-1', '1.5', 'many', '', '0x10', '1e3', ' 1'])('is not "%s"', (limit) => {
    expect(thrown(() => query(`limit=${limit}`))).toBe('Invalid');
  });
});

describe('a filter', () => {
  it('takes one value, several, or one that is not to be taken apart', () => {
    expect(filters('name=a')).toEqual([{ kind: 'oneOf', attribute: 'name', values: ['a'] }]);
    expect(filters('name=eq:a:b')).toEqual([{ kind: 'oneOf', attribute: 'name', values: ['a:b'] }]);
    expect(filters('status=in:active,queued')).toEqual([
      { kind: 'oneOf', attribute: 'status', values: ['active', 'queued'] },
    ]);
    expect(filters('name=in:"a,b",c,"d"')).toEqual([{ kind: 'oneOf', attribute: 'name', values: ['a,b', 'c', 'd'] }]);
    expect(filters('id=in:')).toEqual([{ kind: 'oneOf', attribute: 'id', values: [''] }]);
  });

  it.each([
    'name=neq:a',
    'name=like:a',
    'disk_format=gt:raw',
    'name=in:"a',
    'name=in:a"b"',
    'name=in:"a"b',
    'name=in:"a","b',
    'foo=%ff',
    '%c3(=x',
  ])('is refused: %s', (text) => {
    expect(thrown(() => query(text))).toBe('Invalid');
  });

  it('compares times in any offset', () => {
    const value = '2026-11-22T18:00:00Z';
    const time = { kind: 'time', attribute: 'createdAt' };
    expect(filters('created_at=2026-11-22T18:00:00Z')).toEqual([{ ...time, comparison: 'eq', value }]);
    expect(filters('created_at=gte:2026-11-22T20:00:00+02:00')).toEqual([{ ...time, comparison: 'gte', value }]);
    expect(filters('created_at=lt:2026-11-22T20:00:00%2B0200')).toEqual([{ ...time, comparison: 'lt', value }]);
    expect(filters('created_at=neq:2026-11-22T13:00:00.123-05')).toEqual([{ ...time, comparison: 'neq', value }]);
    expect(filters('updated_at=gt:2026-11-22')).toEqual([
      { kind: 'time', attribute: 'updatedAt', comparison: 'gt', value: '2026-11-22T00:00:00Z' },
    ]);
  });

  it.each([
    'yesterday',
    'gt:',
    'near:2026-11-22',
    '2026-13-01',
    '2026-02-30',
    '2026-11-22T25:00',
    '',
    'gt:gt:2026-11-22',
  ])('does not know the time "%s"', (value) => {
    expect(thrown(() => query(`created_at=${value}`))).toBe('Invalid');
  });

  it('compares numbers', () => {
    expect(filters('size_min=3&min_ram_max=4&min_disk=5')).toEqual([
      { kind: 'number', attribute: 'size', comparison: 'gte', value: 3 },
      { kind: 'number', attribute: 'minRam', comparison: 'lte', value: 4 },
      { kind: 'number', attribute: 'minDisk', comparison: 'eq', value: 5 },
    ]);
  });

  it.each(['size_min=x', 'size_max=', 'min_ram=1.5', 'min_disk_min=1e3', 'size=99999999999999999999'])(
    'does not know the number in %s',
    (text) => {
      expect(thrown(() => query(text))).toBe('Invalid');
    },
  );

  it('takes every tag, but only the last of another parameter', () => {
    expect(filters('tag=a&os_distro=x&tag=b&os_distro=y')).toEqual([
      { kind: 'tag', value: 'a' },
      { kind: 'tag', value: 'b' },
      { kind: 'property', name: 'os_distro', value: 'y' },
    ]);
  });

  it('of an unknown name is one of a property, whatever it looks like', () => {
    expect(filters('is_public=True&foo_min=3&constructor=x')).toEqual([
      { kind: 'property', name: 'is_public', value: 'True' },
      { kind: 'property', name: 'foo_min', value: '3' },
      { kind: 'property', name: 'constructor', value: 'x' },
    ]);
  });

  it.each(['changes-since=2026-11-22', 'tags=a', 'locations=x', 'properties=x', 'name=😀', '😀=x'])(
    'is none: %s',
    (text) => {
      expect(thrown(() => query(text))).toBe('Invalid');
    },
  );

  it('for deleted images is ignored', () => {
    expect(filters('deleted=true')).toEqual([]);
  });

  it('for a flag takes true or false', () => {
    expect(filters('protected=true')).toEqual([{ kind: 'protected', value: true }]);
    expect(filters('protected=false')).toEqual([{ kind: 'protected', value: false }]);
    expect(query('os_hidden=True')).toMatchObject({ osHidden: true, filters: [] });
    expect(thrown(() => query('protected=True'))).toBe('Invalid');
    expect(thrown(() => query('os_hidden=yes'))).toBe('Invalid');
  });

  it('chooses whose images are meant', () => {
    expect(query('visibility=all&member_status=pending&owner=p')).toMatchObject({
      visibility: 'all',
      memberStatus: 'pending',
      filters: [{ kind: 'oneOf', attribute: 'owner', values: ['p'] }],
    });
    expect(thrown(() => query('visibility=secret'))).toBe('Invalid');
    expect(thrown(() => query('member_status=maybe'))).toBe('Invalid');
  });
});

describe('the order', () => {
  it.each([
    [
      'sort=name:asc,size',
      [
        ['name', 'asc'],
        ['size', 'desc'],
      ],
    ],
    [
      'sort_key=name&sort_key=disk_format&sort_dir=asc',
      [
        ['name', 'asc'],
        ['diskFormat', 'asc'],
      ],
    ],
    [
      'sort_key=name&sort_key=id&sort_dir=asc&sort_dir=desc',
      [
        ['name', 'asc'],
        ['id', 'desc'],
      ],
    ],
    ['sort_key=updated_at', [['updatedAt', 'desc']]],
    ['sort_dir=asc', [['createdAt', 'asc']]],
  ])('%s', (text, order) => {
    expect(query(text).sort.map(({ key, direction }) => [key, direction])).toEqual(order);
  });

  it.each([
    'sort=',
    'sort=nonsense',
    'sort=name:up',
    'sort=name:asc:desc',
    'sort=name,,id',
    'sort=name&sort_key=name',
    'sort=name&sort_dir=asc',
    'sort_key=min_disk',
    'sort_key=constructor',
    'sort_key=name&sort_dir=ASC',
    'sort_key=name&sort_dir=asc&sort_dir=desc',
    'sort_key=name&sort_key=id&sort_key=size&sort_dir=asc&sort_dir=desc',
  ])('%s is refused', (text) => {
    expect(thrown(() => query(text))).toBe('Invalid');
  });
});

describe('any query string', () => {
  it('is either understood or refused', () => {
    const names = fc.oneof(
      fc.string(),
      fc.constantFrom('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'name', 'created_at', 'size_min', 'tag'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.string())), (pairs) => {
        expect([undefined, 'Invalid']).toContain(thrown(() => query(new URLSearchParams(pairs).toString())));
      }),
    );
  });
});

describe('the links of a page', () => {
  const links = (text: string, last?: string): unknown => pageLinks(new URLSearchParams(text), last);

  it('lead to the first page', () => {
    expect(links('')).toEqual({ first: '/v2/images' });
    expect(links('marker=x&limit=2&name=a%20b')).toEqual({ first: '/v2/images?limit=2&name=a+b' });
  });

  it('lead to the next page with every repeated parameter', () => {
    expect(links('tag=a&tag=b&marker=old&sort_key=name&sort_key=id', 'last')).toEqual({
      first: '/v2/images?tag=a&tag=b&sort_key=name&sort_key=id',
      next: '/v2/images?tag=a&tag=b&sort_key=name&sort_key=id&marker=last',
    });
  });
});
