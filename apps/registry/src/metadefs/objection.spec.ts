import { describe, expect, it } from 'vitest';
import { objection } from './objection.js';

const fine = undefined;

describe('what a definition has against a value', () => {
  it.each<[object, string, string | undefined]>([
    [{ type: 'string' }, 'anything', fine],
    [{ type: 'string', enum: ['a', 'b'] }, 'b', fine],
    [{ type: 'string', enum: ['a', 'b'] }, 'B', 'one of a, b'],
    [{ type: 'string', enum: ['a'], operators: ['<in>'] }, '<in> z', fine],
    [{ type: 'string', enum: ['a'], operators: ['<in>'] }, '<or> z', 'one of a'],
    [{ type: 'string', minLength: 2 }, 'a', 'at least 2 characters long'],
    [{ type: 'string', maxLength: 2 }, 'abc', 'at most 2 characters long'],
    [{ type: 'string', pattern: '^a' }, 'ba', 'of the form ^a'],
    [{ type: 'string', pattern: '^a' }, 'ab', fine],
    [{ type: 'string', pattern: '(' }, 'ab', fine],
    [{ type: 'integer' }, '-12', fine],
    [{ type: 'integer' }, '1.5', 'a whole number'],
    [{ type: 'integer' }, '', 'a whole number'],
    [{ type: 'integer', minimum: 1, maximum: 3 }, '0', 'at least 1'],
    [{ type: 'integer', minimum: 1, maximum: 3 }, '4', 'at most 3'],
    [{ type: 'integer', minimum: 1, maximum: 3 }, '3', fine],
    [{ type: 'integer', enum: [1, 2] }, '02', fine],
    [{ type: 'integer', enum: [1, 2] }, '3', 'one of 1, 2'],
    [{ type: 'number', minimum: 0.5 }, '0.6', fine],
    [{ type: 'number', minimum: 0.5 }, '0.4', 'at least 0.5'],
    [{ type: 'number' }, 'x', 'a number'],
    [{ type: 'number' }, ' ', 'a number'],
    [{ type: 'boolean' }, 'True', fine],
    [{ type: 'boolean' }, 'maybe', 'true or false'],
    [{ type: 'array' }, '', fine],
    [{ type: 'array', items: { type: 'string', enum: ['a', 'b'] } }, 'a, b', fine],
    [{ type: 'array', items: { type: 'string', enum: ['a', 'b'] } }, 'a,c', 'a list, by commas, each one of a, b'],
    [{ type: 'array', items: { type: 'integer' } }, '1,x', 'a list, by commas, each a whole number'],
    [{ type: 'array', minItems: 2 }, 'a', 'a list of at least 2, by commas'],
    [{ type: 'array', maxItems: 1 }, 'a,b', 'a list of at most 1, by commas'],
    [{ type: 'object' }, 'anything', fine],
    [{}, 'anything', fine],
  ])('%j and %j: %s', (schema, value, expected) => {
    expect(objection(schema as Record<string, unknown>, value)).toBe(expected);
  });
});
