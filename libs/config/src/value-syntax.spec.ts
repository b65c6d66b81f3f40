import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidValue } from './invalid-value.js';
import { parseIni } from './ini-file.js';
import { joinDict, joinList, splitDict, splitList } from './value-syntax.js';

/** Anything that has a spelling: not both kinds of quotes, no line ends. */
const word = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('"', "'", ' ', ',', ':', '[', ']', '{', '}', 'a', '$'),
      fc.string({ minLength: 1, maxLength: 1 }),
    ),
  })
  .filter((text) => !(text.includes('"') && text.includes("'")));

describe('a list', () => {
  test.each([
    ['a,b', ['a', 'b']],
    [' a , b ', ['a', 'b']],
    ['[a,b]', ['a', 'b']],
    ['a,\nb,\n', ['a', 'b']],
    ['a,b,,', ['a', 'b']],
    ['a,,b', ['a', '', 'b']],
    ['', []],
    ['[]', []],
    ['"a,b",\'c\'', ['a,b', 'c']],
    ['it\'s, 5" disk', ["it's", '5" disk']],
    ['trait:,hw_', ['trait:', 'hw_']],
    ['[a', ['[a']],
  ])('%j is %j', (text, items) => {
    expect(splitList(text)).toEqual(items);
  });

  test('with a quote that is not closed, or closed too early, is wrong', () => {
    expect(() => splitList('a,"b')).toThrow('must have a closing "');
    expect(() => splitList('"a"b,c')).toThrow('must have nothing after the closing "');
  });

  test('survives being written and read', () => {
    fc.assert(
      fc.property(fc.array(word), (items) => {
        expect(splitList(joinList(items))).toEqual(items);
      }),
    );
  });

  test('survives an ini file', () => {
    fc.assert(
      fc.property(fc.array(word.filter((text) => !/[\r\n]/.test(text))), (items) => {
        const { given } = parseIni(`[a]\nx = ${joinList(items)}\n`, 'f');
        expect(splitList(given[0]?.text ?? '')).toEqual(items);
      }),
    );
  });
});

describe('a dictionary', () => {
  test.each([
    ['a:1,b:2', { a: '1', b: '2' }],
    ['http:http://proxy:3128', { http: 'http://proxy:3128' }],
    ['"k":"v","l":"x,y"', { k: 'v', l: 'x,y' }],
    ['{a:1}', { a: '1' }],
    ['a:', { a: '' }],
    ['', {}],
  ])('%j is %j', (text, pairs) => {
    expect(splitDict(text)).toEqual(pairs);
  });

  test('without a colon, with an empty key or a key twice is wrong', () => {
    expect(() => splitDict('a:1,b')).toThrow('must be key:value pairs separated by commas');
    expect(() => splitDict(':1')).toThrow('must be key:value pairs separated by commas');
    expect(() => splitDict('a:1,a:2')).toThrow('must have every key once');
  });

  test('survives being written and read', () => {
    const key = word.filter((text) => text !== '');
    fc.assert(
      fc.property(fc.dictionary(key, word), (pairs) => {
        expect(splitDict(joinDict(pairs))).toEqual({ ...pairs });
      }),
    );
  });
});

test('values of any text are read or refused, nothing else', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(splitList, splitDict), (text, split) => {
      try {
        split(text);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidValue);
      }
    }),
  );
});
