import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIni } from './ini-file.js';

function pairs(content: string): string[][] {
  return parseIni(content, 'f').given.map(({ group, name, text }) => [group, name, text]);
}

function problems(content: string): readonly string[] {
  return parseIni(content, 'f').problems;
}

describe('an ini file', () => {
  test('assigns by = or :, whichever comes first', () => {
    expect(pairs('[a]\nx = 1\ny: 2\nz=k:v\nu:k=v\nw=')).toEqual([
      ['a', 'x', '1'],
      ['a', 'y', '2'],
      ['a', 'z', 'k:v'],
      ['a', 'u', 'k=v'],
      ['a', 'w', ''],
    ]);
  });

  test('continues a value on lines that start with white space, until a blank line or a comment', () => {
    expect(pairs('[a]\nx = one,\n  two,\n\t# three\ny =\n  later\n')).toEqual([
      ['a', 'x', 'one,\ntwo,\n# three'],
      ['a', 'y', '\nlater'],
    ]);
    expect(problems('[a]\nx = 1\n\n  2\n')).toEqual([expect.stringContaining('f:4: starts with white space')]);
    expect(problems('[a]\nx = 1\n# note\n  2\n')).toEqual([expect.stringContaining('f:4: ')]);
    expect(problems('  x = 1')).toEqual([expect.stringContaining('f:1: ')]);
  });

  test('keeps repeated keys and groups in their order, with their lines', () => {
    expect(parseIni('[a]\nx=1\n[b]\nx=2\n[a]\nx=3', 'f').given.map(({ where, text }) => [where, text])).toEqual([
      ['f:2', '1'],
      ['f:4', '2'],
      ['f:6', '3'],
    ]);
  });

  test('ignores comments, the byte order mark and the kind of line ends', () => {
    expect(pairs('\uFEFF[a]\r\n# x = 0\r\n; x = 0\r\nx = 1  \r\n  2\ry = 3\n')).toEqual([
      ['a', 'x', '1\n2'],
      ['a', 'y', '3'],
    ]);
  });

  test('takes a # inside a value for a part of it', () => {
    expect(pairs('[a]\nx = a # b')).toEqual([['a', 'x', 'a # b']]);
  });

  test('takes quotes around a whole value off, not those of single items', () => {
    expect(pairs(`[a]\nx = " b "\ny = 'c'\nz = "a","b"\nu = "`)).toEqual([
      ['a', 'x', ' b '],
      ['a', 'y', 'c'],
      ['a', 'z', '"a","b"'],
      ['a', 'u', '"'],
    ]);
  });

  test('names every line that is not ini, and never what the line says', () => {
    const found = problems('early = 1\n[a\nx = 1\n[]\n[b]\nno assignment of hunter2\n  more\n= value\n');
    expect(found).toEqual([
      'f:1: early stands before the first group; [DEFAULT] must come first',
      'f:2: a group must look like [name]',
      'f:4: a group must look like [name]',
      'f:6: must be "option = value", "[group]" or a comment',
      'f:8: must be "option = value", "[group]" or a comment',
    ]);
  });

  test('never throws, whatever the text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('[', ']', '=', ':', '\n', '\r', '  ', '\t', '#', '"', "'", '\0'),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const { given, problems } = parseIni(pieces.join(''), 'f');
        expect([...given.map(({ where }) => where), ...problems].every((one) => /^f:\d+/.test(one))).toBe(true);
      }),
    );
  });
});
