import { describe, expect, expectTypeOf, test } from 'vitest';
import { choice, declare, dict, flag, integer, list, multi, number, text, type ValuesOf } from './index.js';

const _everyKind = declare('DEFAULT', {
  bind_host: text({ default: '0.0.0.0', help: 'Address.' }),
  public_endpoint: text({ help: 'URL.' }),
  bind_port: integer({ default: 9292, min: 0, max: 65535, help: 'Port.' }),
  workers: integer({ help: 'Processes.' }),
  ratio: number({ default: 0.5, help: 'Ratio.' }),
  debug: flag({ default: false, help: 'Debug.' }),
  container_formats: list({ default: ['ami', 'bare'], help: 'Formats.' }),
  nothing: list({ default: [], help: 'Formats.' }),
  flavor: choice(['keystone', 'caching'], { help: 'Flavor.' }),
  engine_mode: choice(['parallel', 'serial'], { default: 'parallel', help: 'Mode.' }),
  datadirs: multi({ help: 'Directories.' }),
  proxies: dict({ default: {}, help: 'Proxies.' }),
  s3_store_access_key: text({ secret: true, help: 'Key.' }),
});

describe('a declaration', () => {
  test('gives camelCase keys and the types of the values, undefined only without a default', () => {
    expectTypeOf<ValuesOf<typeof _everyKind>>().toEqualTypeOf<{
      readonly bindHost: string;
      readonly publicEndpoint: string | undefined;
      readonly bindPort: number;
      readonly workers: number | undefined;
      readonly ratio: number;
      readonly debug: boolean;
      readonly containerFormats: readonly string[];
      readonly nothing: readonly string[];
      readonly flavor: 'keystone' | 'caching' | undefined;
      readonly engineMode: 'parallel' | 'serial';
      readonly datadirs: readonly string[] | undefined;
      readonly proxies: Readonly<Record<string, string>>;
      readonly s3StoreAccessKey: string | undefined;
    }>();
  });
});

describe('a value', () => {
  const small = integer({ min: -1, max: 10, help: '' });
  const positive = number({ min: 0, help: '' });
  const switched = flag({ help: '' });
  const mode = choice(['parallel', 'serial'], { help: '' });

  test.each([
    [small, '7', 7],
    [small, ' +7 ', 7],
    [small, '-1', -1],
    [integer({ help: '' }), '9223372036854775807', 2 ** 63],
    [positive, '0.25', 0.25],
    [positive, '1e3', 1000],
    [switched, 'True', true],
    [switched, 'ON', true],
    [switched, '1', true],
    [switched, 'no', false],
    [switched, 'OFF', false],
    [mode, 'serial', 'serial'],
    [text({ help: '' }), ' as it is ', ' as it is '],
  ])('is read by its type %#', (option, given, value) => {
    expect(option.parse([given])).toEqual(value);
  });

  test.each([
    [small, '11', 'must be a whole number from -1 to 10'],
    [small, '-2', 'must be a whole number from -1 to 10'],
    [small, '1.5', 'must be a whole number from -1 to 10'],
    [small, '0x1', 'must be a whole number from -1 to 10'],
    [integer({ max: 5, help: '' }), '6', 'must be a whole number of at most 5'],
    [positive, '-1', 'must be a number of at least 0'],
    [positive, 'Infinity', 'must be a number of at least 0'],
    [positive, '1e999', 'must be a number of at least 0'],
    [switched, '', 'must be true or false'],
    [switched, '2', 'must be true or false'],
    [mode, 'Serial', 'must be one of parallel, serial'],
    [
      text({ help: '', check: (path) => (path.startsWith('/') ? undefined : 'an absolute path') }),
      'a',
      'must be an absolute path',
    ],
  ])('is refused with what would be right %#', (option, given, message) => {
    expect(() => option.parse([given])).toThrow(message);
  });

  test('of several counts the last, but for a multi option, which takes all', () => {
    expect(small.parse(['1', '2'])).toBe(2);
    expect(multi({ help: '' }).parse(['/a', '/b'])).toEqual(['/a', '/b']);
  });
});
