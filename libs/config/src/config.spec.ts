import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConfigError } from './config-error.js';
import { declare } from './declaration.js';
import { dict, flag, integer, list, multi, text } from './option.js';
import { Scratch } from './testing/scratch.js';

const apiOptions = declare('DEFAULT', {
  bind_host: text({ default: '0.0.0.0', help: 'Address.' }),
  bind_port: integer({ default: 9292, min: 0, max: 65535, cli: true, help: 'Port.' }),
  workers: integer({ default: 1, help: 'Processes.' }),
  debug: flag({ default: false, short: 'd', help: 'Debug.' }),
  enabled_backends: dict({ default: {}, help: 'Stores.' }),
  state_path: text({ default: '/var/lib/$program', help: 'State.' }),
  program: text({ default: 'glance', help: 'Name.' }),
  lock_path: text({ default: '$state_path/lock', help: 'Locks.' }),
  url: text({ help: 'URL.' }),
});
const fileOptions = declare('glance_store', {
  filesystem_store_datadir: text({ default: '/images', help: 'Directory.' }),
  filesystem_store_datadirs: multi({ help: 'Directories.' }),
  filesystem_store_chunk_size: integer({ default: 65536, min: 1, help: 'Bytes.' }),
});
const databaseOptions = declare('database', {
  connection: text({ secret: true, aliases: ['DEFAULT.sql_connection', 'database.db_url'], help: 'URL.' }),
  max_pool_size: integer({ default: 5, aliases: ['pool_size'], help: 'Connections.' }),
  backend: text({ deprecated: 'since 2024; leave it out', help: 'Back end.' }),
});

describe('who wins', () => {
  test('is the default, then files in order, then the environment, then the command line', async () => {
    using scratch = new Scratch({ 'one.conf': '[DEFAULT]\nbind_port = 1\n', 'two.conf': '[DEFAULT]\nbind_port = 2\n' });
    const port = async (argv: string[], env: NodeJS.ProcessEnv = {}): Promise<number> =>
      (await scratch.load([apiOptions], { argv, env })).read(apiOptions).bindPort;
    const env = { OS_DEFAULT__BIND_PORT: '3' };
    expect(await port([])).toBe(9292);
    expect(await port(['--config-file', '@/one.conf', '--config-file', '@/two.conf'])).toBe(2);
    expect(await port(['--config-file', '@/two.conf', '--config-file=@/one.conf'])).toBe(1);
    expect(await port(['--config-file', '@/one.conf'], env)).toBe(3);
    expect(await port(['--config-file', '@/one.conf', '--bind-port', '4'], env)).toBe(4);
    expect(await port(['--bind_port=5', '--bind-port=6'])).toBe(6);
  });

  test('is the last of repeated keys, and repeated groups are one', async () => {
    using scratch = new Scratch({
      'glance-api.conf': '[DEFAULT]\nworkers = 2\nbind_host = a\n[database]\n[DEFAULT]\nworkers = 3\n',
    });
    const values = (await scratch.load([apiOptions])).read(apiOptions);
    expect([values.workers, values.bindHost]).toEqual([3, 'a']);
  });

  test('is nobody for multi options: they collect over files', async () => {
    using scratch = new Scratch({
      'glance-image-import.conf': '[glance_store]\nfilesystem_store_datadirs = /a\nfilesystem_store_datadirs = /b\n',
      'glance-api.conf': '[glance_store]\nfilesystem_store_datadirs = /c\n',
    });
    const read = async (env: NodeJS.ProcessEnv) =>
      (await scratch.load([fileOptions], { env })).read(fileOptions).filesystemStoreDatadirs;
    expect(await read({})).toEqual(['/a', '/b', '/c']);
    expect(await read({ OS_GLANCE_STORE__FILESYSTEM_STORE_DATADIRS: '/d' })).toEqual(['/d']);
  });

  test('does not depend on the case of a group', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[Database]\nmax_pool_size = 7\n' });
    expect((await scratch.load([databaseOptions])).read(databaseOptions).maxPoolSize).toBe(7);
  });

  test('is the default where a number is empty', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[DEFAULT]\nworkers =\nbind_host =\n' });
    const values = (await scratch.load([apiOptions])).read(apiOptions);
    expect([values.workers, values.bindHost]).toEqual([1, '']);
  });
});

describe('a declaration', () => {
  test('is read from another group, and from the fallback what that lacks', async () => {
    using scratch = new Scratch({
      'glance-api.conf': [
        '[glance_store]\nfilesystem_store_datadir = /single\nfilesystem_store_chunk_size = 1',
        '[fast]\nfilesystem_store_datadir = /fast',
        '[backend_defaults]\nfilesystem_store_datadir = /any\nfilesystem_store_chunk_size = 4096\n',
      ].join('\n'),
    });
    const place = { group: 'fast', fallback: 'backend_defaults' };
    const config = await scratch.load([fileOptions], { more: () => [{ declaration: fileOptions, ...place }] });
    expect(config.warnings).toEqual([]);
    expect(config.read(fileOptions, place)).toEqual({
      filesystemStoreDatadir: '/fast',
      filesystemStoreDatadirs: undefined,
      filesystemStoreChunkSize: 4096,
    });
    expect(config.read(fileOptions, { group: 'fast' }).filesystemStoreChunkSize).toBe(65536);
    expect(config.read(fileOptions).filesystemStoreDatadir).toBe('/single');
  });

  test('reads a group that is named in the environment only', async () => {
    using scratch = new Scratch();
    const config = await scratch.load([], { env: { OS_FAST__FILESYSTEM_STORE_DATADIR: '/env' } });
    expect(config.read(fileOptions, { group: 'fast' }).filesystemStoreDatadir).toBe('/env');
  });

  test('throws for wrong values in a place that was not known at the start', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[slow]\nfilesystem_store_chunk_size = big\n' });
    const config = await scratch.load([]);
    expect(() => config.read(fileOptions, { group: 'slow' })).toThrow(ConfigError);
  });
});

describe('former names', () => {
  test('count, with a warning that says the present one', async () => {
    using scratch = new Scratch({
      'glance-api.conf': '[DEFAULT]\nsql_connection = sqlite:///a\n[database]\npool_size = 9\nbackend = sqlalchemy\n',
    });
    const config = await scratch.load([databaseOptions]);
    expect(config.read(databaseOptions)).toEqual({ connection: 'sqlite:///a', maxPoolSize: 9, backend: 'sqlalchemy' });
    expect(config.warnings.map((warning) => scratch.shorten(warning))).toEqual([
      'glance-api.conf:2: [DEFAULT] sql_connection is now called [database] connection',
      'glance-api.conf:4: [database] pool_size is now called max_pool_size',
      'glance-api.conf:5: [database] backend is deprecated since 2024; leave it out',
    ]);
  });

  test('lose against the present name in the same file, win against it from a later one', async () => {
    using scratch = new Scratch({
      'one.conf': '[database]\nmax_pool_size = 1\npool_size = 2\n',
      'two.conf': '[database]\npool_size = 3\n',
    });
    const size = async (...argv: string[]): Promise<number> =>
      (await scratch.load([databaseOptions], { argv })).read(databaseOptions).maxPoolSize;
    expect(await size('--config-file=@/one.conf')).toBe(1);
    expect(await size('--config-file=@/one.conf', '--config-file=@/two.conf')).toBe(3);
  });

  test('move along with the group that is read', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[replica]\ndb_url = x\n' });
    const config = await scratch.load([databaseOptions]);
    expect(config.read(databaseOptions, { group: 'replica' }).connection).toBe('x');
  });
});

describe('a reference by $', () => {
  const url = async (value: string, rest = ''): Promise<string | undefined> => {
    using scratch = new Scratch({ 'glance-api.conf': `[DEFAULT]\nurl = ${value}\n${rest}\n[database]\nbackend = b` });
    return (await scratch.load([apiOptions, databaseOptions])).read(apiOptions).url;
  };

  test.each([
    ['http://$bind_host:$bind_port/', 'http://0.0.0.0:9292/'],
    ['${bind_host}s', '0.0.0.0s'],
    ['$database.backend/${database.max_pool_size}', 'b/5'],
    ['$database.connection', ''],
    ['$debug', 'false'],
    ['$enabled_backends', ''],
    ['$lock_path', '/var/lib/glance/lock'],
    ['$undeclared', 'u'],
    ['a$$b \\$c $1 $ %(x)s ${', 'a$b $c $1 $ %(x)s ${'],
  ])('%s is replaced', async (value, replaced) => {
    expect(await url(value, 'undeclared = u')).toBe(replaced);
  });

  test('is looked for in its own group first', async () => {
    using scratch = new Scratch({
      'glance-api.conf': '[DEFAULT]\nbackend = d\n[database]\nbackend = o\nconnection = $backend',
    });
    expect((await scratch.load([databaseOptions])).read(databaseOptions).connection).toBe('o');
  });

  test('is replaced in defaults and before the type is applied', async () => {
    using scratch = new Scratch({
      'glance-api.conf': '[DEFAULT]\nprogram = 7\nworkers = $program\nenabled_backends = a:$program',
    });
    const values = (await scratch.load([apiOptions])).read(apiOptions);
    expect(values).toMatchObject({
      workers: 7,
      enabledBackends: { a: '7' },
      statePath: '/var/lib/7',
      lockPath: '/var/lib/7/lock',
    });
  });

  test('is replaced in the items of a default list', async () => {
    using scratch = new Scratch();
    const options = declare('x', { dirs: list({ default: ['${program}/a'], help: '' }) });
    expect((await scratch.load([apiOptions, options])).read(options).dirs).toEqual(['glance/a']);
  });

  test('to nothing or to itself is wrong, and the message keeps secrets', async () => {
    using scratch = new Scratch({
      'glance-api.conf':
        '[DEFAULT]\nurl = $nothing\nstate_path = $lock_path\n[database]\nconnection = mysql://u:pa$sword@h/',
    });
    const problems = await scratch.problems([apiOptions, databaseOptions]);
    expect(problems).toEqual([
      'glance-api.conf:3: [DEFAULT] state_path = "$lock_path": must not refer to itself, not by way of others either',
      'default: [DEFAULT] lock_path = "": must not refer to itself, not by way of others either',
      'glance-api.conf:2: [DEFAULT] url = "$nothing": refers by $ to an option that does not exist; write $$ for a dollar',
      'glance-api.conf:5: [database] connection (a secret): refers by $ to an option that does not exist; write $$ for a dollar',
    ]);
  });
});

test('a configuration shows no values when it is printed', async () => {
  using scratch = new Scratch({ 'glance-api.conf': '[database]\nconnection = mysql://u:hunter2@h/\n' });
  const config = await scratch.load([databaseOptions]);
  expect(config.read(databaseOptions).connection).toContain('hunter2');
  expect([inspect(config, { depth: 9 }), JSON.stringify(config)].join()).not.toContain('hunter2');
});
