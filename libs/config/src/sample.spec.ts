import { describe, expect, test } from 'vitest';
import { declare } from './declaration.js';
import { choice, dict, flag, integer, list, multi, number, text } from './option.js';
import { referencePage } from './reference.js';
import { sampleFile } from './sample.js';
import { Scratch } from './testing/scratch.js';

const apiOptions = declare('DEFAULT', {
  bind_port: integer({
    default: 9292,
    min: 0,
    max: 65535,
    aliases: ['port', 'http.listen_port'],
    help: 'Port to listen on; a long explanation that does not fit into a single line of a file.',
  }),
  greeting: text({ default: ' hello | <world> ', ours: true, help: 'Greeting.' }),
  public_endpoint: text({ help: 'Base URL.' }),
  formats: list({ default: ['"ami"', 'trait:', 'b,c', ' '], help: 'Formats.' }),
  nothing: list({ default: [], help: 'Nothing.' }),
  inject: dict({ default: { 'a:b': 'c,d', e: ' ' }, help: 'Properties.' }),
});
const storeOptions = declare('glance_store', {
  mode: choice(['parallel', 'serial'], { default: 'serial', deprecated: 'since 2025; leave it out', help: 'Mode.' }),
  ratio: number({ default: 0.5, help: 'Ratio.' }),
  insecure: flag({ default: true, help: 'Insecure.' }),
  datadirs: multi({ default: ['/a', '/b'], help: 'Directories.' }),
  password: text({ secret: true, help: 'Password.' }),
});
const both = [storeOptions, apiOptions, declare('DEFAULT', { bind_port: integer({ default: 1, help: 'Again.' }) })];

describe('the sample file', () => {
  test('shows each option once with help, type, bounds, former names and default', () => {
    const sample = sampleFile(both);
    expect(sample.startsWith('[DEFAULT]\n')).toBe(true);
    expect(sample.match(/#bind_port/g)).toHaveLength(1);
    expect(sample).toContain(
      [
        '# Port to listen on; a long explanation that does not fit into a single line of',
        '# a file. (integer value)',
        '# Minimum value: 0',
        '# Maximum value: 65535',
        '# Deprecated group/name - [DEFAULT]/port',
        '# Deprecated group/name - [http]/listen_port',
        '#bind_port = 9292\n',
      ].join('\n'),
    );
    expect(sample).toContain(
      '# Mode. (string value)\n# Possible values: parallel, serial\n# Deprecated since 2025; leave it out\n#mode = serial\n',
    );
    expect(sample).toContain('# Not an option of Glance.\n#greeting = " hello | <world> "\n');
    expect(sample).toContain('#public_endpoint = <None>\n');
    expect(sample).toContain('#nothing =\n');
    expect(sample).toContain('#datadirs = /a\n#datadirs = /b\n');
  });

  test('says the defaults: with all options uncommented they are the same', async () => {
    const active = sampleFile([apiOptions, storeOptions]).replaceAll(/^#(\w+ =(?! <None>))/gm, '$1');
    using scratch = new Scratch({ 'glance-api.conf': active });
    using empty = new Scratch();
    const [config, defaults] = [await scratch.load(both), await empty.load(both)];
    expect(config.read(apiOptions)).toEqual(defaults.read(apiOptions));
    expect(config.read(storeOptions)).toEqual(defaults.read(storeOptions));
    expect(defaults.read(apiOptions).inject).toEqual({ 'a:b': 'c,d', e: ' ' });
    expect(config.warnings.map((warning) => scratch.shorten(warning))).toEqual([
      expect.stringContaining('[glance_store] mode is deprecated since 2025; leave it out'),
    ]);
  });

  test('as it is changes nothing and causes no warning', async () => {
    using scratch = new Scratch({ 'glance-api.conf': sampleFile(both) });
    expect(await scratch.warnings(both)).toEqual([]);
  });
});

test('the reference page has a row for every option, its table unbroken by what is in it', () => {
  const page = referencePage(both);
  expect(page.indexOf('## [DEFAULT]')).toBeLessThan(page.indexOf('## [glance_store]'));
  expect(page).toContain('| `bind_port` | integer, 0 to 65535 | `9292` | Port to listen on;');
  expect(page).toContain('| Glance | formerly `port`; formerly `http.listen_port` |\n');
  expect(page).toContain(
    '| `mode` | `parallel`, `serial` | `serial` | Mode. | Glance | deprecated since 2025; leave it out |\n',
  );
  expect(page).toContain('| `password` | string | – | Password. | Glance | secret |\n');
  expect(page).toContain('| `nothing` | list | empty | Nothing. | Glance |  |\n');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  expect(rows).toHaveLength(11);
  for (const row of rows) expect(row.replaceAll('\\|', '').match(/\|/g)).toHaveLength(7);
  expect(page).toContain('| [DEFAULT] `owner_is_tenant` | Wallaby | images always belong to projects |');
});
