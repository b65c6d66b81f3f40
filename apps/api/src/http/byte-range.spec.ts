import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { thrown } from '../testing/thrown.js';
import { byteRange } from './byte-range.js';

const etag = '"abc"';

describe('a range', () => {
  it.each([
    ['bytes=0-0', { offset: 0, length: 1 }],
    ['bytes=2-5', { offset: 2, length: 4 }],
    ['bytes=7-', { offset: 7, length: 3 }],
    ['bytes=-3', { offset: 7, length: 3 }],
    ['bytes=-10', { offset: 0, length: 10 }],
    ['bytes=-99', { offset: 0, length: 10 }],
    ['bytes=9-99', { offset: 9, length: 1 }],
    ['bytes=0-', { offset: 0, length: 10 }],
    ['Bytes = 2 - 5', { offset: 2, length: 4 }],
  ])('%s of ten bytes', (range, expected) => {
    expect(byteRange({ range }, 10, etag)).toEqual(expected);
  });

  it.each([
    'bytes=10-',
    'bytes=10-12',
    'bytes=9-3',
    'bytes=-0',
    'bytes=-',
    'bytes=',
    'bytes',
    'lines=0-1',
    'bytes=a-b',
    '0-1',
    'bytes=1--2',
    'bytes=0-1-2',
  ])('%s of ten bytes cannot be had', (range) => {
    expect(thrown(() => byteRange({ range }, 10, etag))).toBe('RangeNotSatisfiable');
  });

  it('of nothing cannot be had', () => {
    expect(thrown(() => byteRange({ range: 'bytes=0-0' }, 0, etag))).toBe('RangeNotSatisfiable');
    expect(thrown(() => byteRange({ range: 'bytes=-1' }, 0, etag))).toBe('RangeNotSatisfiable');
  });

  it('must be one', () => {
    expect(thrown(() => byteRange({ range: 'bytes=0-1,3-4' }, 10, etag))).toBe('Invalid');
  });

  it('lies within the data, or is refused', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.option(fc.nat(120)), fc.option(fc.nat(120)), (size, first, last) => {
        const range = `bytes=${first ?? ''}-${last ?? ''}`;
        let found;
        try {
          found = byteRange({ range }, size, etag)!;
        } catch {
          return;
        }
        expect(found.length).toBeGreaterThan(0);
        expect(found.offset).toBeGreaterThanOrEqual(0);
        expect(found.offset + found.length).toBeLessThanOrEqual(size);
      }),
    );
  });
});

describe('a conditional range', () => {
  const range = 'bytes=2-5';

  it('holds for the data that the client has a part of', () => {
    expect(byteRange({ range, 'if-range': etag }, 10, etag)).toEqual({ offset: 2, length: 4 });
  });

  it.each(['"other"', 'W/"abc"', 'Sun, 22 Nov 2026 18:00:00 GMT'])('does not hold for %s', (condition) => {
    expect(byteRange({ range, 'if-range': condition }, 10, etag)).toBeUndefined();
    expect(byteRange({ range: 'nonsense', 'if-range': condition }, 10, etag)).toBeUndefined();
  });

  it('does not hold for data without a digest', () => {
    expect(byteRange({ range, 'if-range': etag }, 10, undefined)).toBeUndefined();
  });
});

describe('Content-Range in a request', () => {
  it.each([
    ['bytes 2-5/*', { offset: 2, length: 4 }],
    ['bytes 2-5/10', { offset: 2, length: 4 }],
    ['bytes 9-99/*', { offset: 9, length: 1 }],
  ])('%s is a range', (header, expected) => {
    expect(byteRange({ 'content-range': header }, 10, etag)).toEqual(expected);
  });

  it.each(['bytes */10', 'bytes 10-12/*', 'bytes 5-2/*', 'nonsense'])('%s cannot be had', (header) => {
    expect(thrown(() => byteRange({ 'content-range': header }, 10, etag))).toBe('RangeNotSatisfiable');
  });

  it('is not looked at beside Range', () => {
    expect(byteRange({ range: 'bytes=0-0', 'content-range': 'nonsense' }, 10, etag)).toEqual({ offset: 0, length: 1 });
  });
});
