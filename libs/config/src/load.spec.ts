import { mkdirSync, symlinkSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from './config-error.js';
import { declare } from './declaration.js';
import { choice, dict, integer, text } from './option.js';
import { Scratch } from './testing/scratch.js';

const apiOptions = declare('DEFAULT', {
  bind_port: integer({ default: 9292, min: 0, max: 65535, cli: true, help: 'Port.' }),
  workers: integer({ help: 'Processes.' }),
  enabled_backends: dict({ default: {}, help: 'Stores.' }),
  client_socket_timeout: integer({ default: 900, help: 'Seconds.' }),
});
const deployOptions = declare('paste_deploy', { flavor: choice(['keystone', 'caching'], { help: 'Flavor.' }) });
const databaseOptions = declare('database', {
  connection: text({
    secret: true,
    help: 'URL.',
    check: (url) => (url.includes('://') ? undefined : 'a URL like sqlite:///glance.sqlite'),
  }),
});
const storeOptions = declare('glance_store', { weight: integer({ default: 0, help: 'Weight.' }) });
const all = [apiOptions, deployOptions, databaseOptions];

describe('a file that an option names', () => {
  test('is looked for beside the configuration files, the latest first, then in the usual directory', async () => {
    using scratch = new Scratch({ 'one/a.conf': '', 'two/b.conf': '', 'one/policy.yaml': '', 'usual.yaml': '' });
    const config = await scratch.load([], { argv: ['--config-file', '@/one/a.conf', '--config-file', '@/two/b.conf'] });
    expect(scratch.shorten(config.locate('policy.yaml'))).toBe('one/policy.yaml');
    scratch.write('two/policy.yaml', '');
    expect(scratch.shorten(config.locate('policy.yaml'))).toBe('two/policy.yaml');
    expect(scratch.shorten(config.locate('usual.yaml'))).toBe('usual.yaml');
    expect(scratch.shorten(config.locate('nowhere.yaml'))).toBe('two/nowhere.yaml');
    expect(config.locate('/somewhere/else.yaml')).toBe('/somewhere/else.yaml');
  });

  test('is in the usual directory when there are no configuration files', async () => {
    using scratch = new Scratch();
    expect(scratch.shorten((await scratch.load([])).locate('policy.yaml'))).toBe('policy.yaml');
  });
});

describe('a wrong configuration', () => {
  test('is one error that names everything: place, group, option, value unless secret, and what is right', async () => {
    using scratch = new Scratch({
      'glance-api.conf': [
        '[DEFAULT]\nbind_port = 70000\nworkers = four\nenabled_backends = fast:file',
        '[paste_deploy]\nflavor = trusted-auth\nno assignment',
        '[database]\nconnection = hunter2',
        '[fast]\nweight = heavy\n',
      ].join('\n'),
    });
    const request = {
      argv: ['--bind-port', 'x'],
      env: { OS_DEFAULT__WORKERS: '-' },
      more: () => [{ declaration: storeOptions, group: 'fast' }],
    };
    expect(await scratch.problems(all, request)).toEqual([
      'glance-api.conf:7: must be "option = value", "[group]" or a comment',
      '--bind-port: [DEFAULT] bind_port = "x": must be a whole number from 0 to 65535',
      'OS_DEFAULT__WORKERS: [DEFAULT] workers = "-": must be a whole number',
      'glance-api.conf:6: [paste_deploy] flavor = "trusted-auth": must be one of keystone, caching',
      'glance-api.conf:9: [database] connection (a secret): must be a URL like sqlite:///glance.sqlite',
      'glance-api.conf:11: [fast] weight = "heavy": must be a whole number',
    ]);
    await expect(scratch.load(all, request)).rejects.toThrow(
      /^The configuration is wrong in 6 places:\n {2}\/.*\n {2}--bind-port/,
    );
  });

  test('says the rest too when the groups that values name cannot be told', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[DEFAULT]\nenabled_backends = fast\nworkers = four\n' });
    const problems = await scratch.problems(all, {
      more: (config) =>
        Object.keys(config.read(apiOptions).enabledBackends).map((group) => ({ declaration: storeOptions, group })),
    });
    expect(problems).toEqual([
      'glance-api.conf:3: [DEFAULT] workers = "four": must be a whole number',
      'glance-api.conf:2: [DEFAULT] enabled_backends = "fast": must be key:value pairs separated by commas',
    ]);
  });

  test('includes what the program itself objects to', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[DEFAULT]\nworkers = four\n' });
    const more = (): never => {
      throw new ConfigError(['[glance_store] default_backend is missing']);
    };
    expect(await scratch.problems(all, { more })).toEqual([
      '[glance_store] default_backend is missing',
      expect.stringContaining('workers = "four"'),
    ]);
  });

  test('is not what a defect in the program is', async () => {
    using scratch = new Scratch();
    await expect(
      scratch.load(all, {
        more: () => {
          throw new RangeError('defect');
        },
      }),
    ).rejects.toThrow(RangeError);
  });

  test('of any text is refused with its own error or loaded', async () => {
    using scratch = new Scratch();
    const line = fc.oneof(
      fc.string(),
      fc.string().map((value) => `workers = ${value}`),
      fc.string().map((value) => `enabled_backends = ${value}`),
      fc.constantFrom('[DEFAULT]', '[database]', 'connection = $connection', 'connection = ${workers}'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (lines) => {
        scratch.write('glance-api.conf', lines.join('\n'));
        const error: unknown = await scratch.load(all).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error === undefined || error instanceof ConfigError).toBe(true);
      }),
    );
  });
});

describe('the files', () => {
  const worker = async (scratch: Scratch, ...argv: string[]): Promise<number | undefined> =>
    (await scratch.load(all, { argv })).read(apiOptions).workers;
  const workers = (count: number): string => `[DEFAULT]\nworkers = ${count}\n`;

  test('are by default those of the program that exist, then those in their directories', async () => {
    using scratch = new Scratch({ 'glance-image-import.conf': workers(1) });
    expect(await worker(scratch)).toBe(1);
    scratch.write('glance-api.conf', workers(2));
    expect(await worker(scratch)).toBe(2);
    scratch.write('glance-api.conf.d/20.conf', workers(4));
    scratch.write('glance-api.conf.d/10.conf', workers(3));
    scratch.write('glance-api.conf.d/30.conf.orig', workers(5));
    expect(await worker(scratch)).toBe(4);
    scratch.write('hidden/.10.conf', workers(6));
    expect(await worker(scratch, '--config-dir', '@/hidden')).toBe(2);
  });

  test('are those of the command line in its order, instead of the default ones of the same kind', async () => {
    using scratch = new Scratch({
      'glance-api.conf': workers(1),
      'other.conf': workers(2),
      'glance-api.conf.d/a.conf': workers(3),
      'empty/readme': '',
      'more/a.conf': workers(4),
    });
    expect(await worker(scratch, '--config-file', '@/other.conf')).toBe(2);
    expect(await worker(scratch, '--config-dir', '@/empty')).toBe(1);
    expect(await worker(scratch, '--config-file', '@/other.conf', '--config-dir', '@/more')).toBe(4);
    expect(await worker(scratch, '--config-dir', '@/more', '--config-file', '@/other.conf')).toBe(2);
  });

  test('may have Windows line ends, a byte order mark and tabs', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '\uFEFF[DEFAULT]\r\nworkers\t=\t4\r\n' });
    expect(await worker(scratch)).toBe(4);
  });

  test('that cannot be read are named with the reason', async () => {
    using scratch = new Scratch({ 'a.conf': '', 'binary.conf': Buffer.from([0x5b, 0xff, 0xfe, 0x5d]) });
    mkdirSync(scratch.path('directory'));
    symlinkSync('loop.conf', scratch.path('loop.conf'));
    const argv = [
      ...['missing.conf', 'directory', 'a.conf/b', 'binary.conf', 'loop.conf'].map((name) => `--config-file=@/${name}`),
      ...['missing', 'a.conf'].map((name) => `--config-dir=@/${name}`),
    ];
    expect(await scratch.problems(all, { argv })).toEqual([
      'missing.conf: no such file',
      'directory: is a directory; --config-file takes a file, --config-dir a directory',
      'a.conf/b: is not a directory; --config-dir takes a directory, --config-file a file',
      'binary.conf: is not UTF-8 text',
      expect.stringContaining('loop.conf: ELOOP'),
      'missing: no such directory',
      'a.conf: is not a directory; --config-dir takes a directory, --config-file a file',
    ]);
  });
});

describe('names that nobody declares', () => {
  const warnings = async (content: string, env: NodeJS.ProcessEnv = {}, argv: string[] = []): Promise<string[]> => {
    using scratch = new Scratch({ 'f.conf': content });
    return await scratch.warnings([...all, storeOptions], { env, argv: ['--config-file', '@/f.conf', ...argv] });
  };

  test('cause a warning each, with the likely name where there is one', async () => {
    const content = [
      '[DEFAULT]\nworker = 4\nclient-socket-timeout = 1\nconnection = x\nnonsense = 1\nnonsense = 2',
      '[database]\nconenction = x\n[databse]\nconnection = x\nmore = y\n[nothing]\n[mine]\na = 1\n',
    ].join('\n');
    expect(await warnings(content)).toEqual([
      'f.conf:2: [DEFAULT] worker: unknown, without effect; did you mean workers?',
      'f.conf:3: [DEFAULT] client-socket-timeout: unknown, without effect; did you mean client_socket_timeout?',
      'f.conf:4: [DEFAULT] connection: unknown, without effect; it belongs in [database]',
      'f.conf:5: [DEFAULT] nonsense: unknown, without effect',
      'f.conf:8: [database] conenction: unknown, without effect; did you mean connection?',
      'f.conf:10: [databse] connection, more: unknown group, without effect; did you mean [database]?',
      'f.conf:14: [mine] a: unknown group, without effect',
    ]);
  });

  test('may be in the environment or on the command line', async () => {
    expect(await warnings('', { OS_DEFAULT__WORKER: '4', OS_AUTH_URL: 'x', HOME: '/' }, ['--use-syslog'])).toEqual([
      '--use-syslog: [DEFAULT] use_syslog: known to oslo.log, but without effect here',
      'OS_DEFAULT__WORKER: [DEFAULT] worker: unknown, without effect; did you mean workers?',
    ]);
  });

  test('and were options of Glance once, are told what replaced them', async () => {
    const content =
      '[DEFAULT]\nowner_is_tenant = true\nregistry_client_timeout = 3\nadmin_role = x\n[glance_store]\nsheepdog_store_port = 1\n';
    expect(await warnings(content)).toEqual([
      'f.conf:2: [DEFAULT] owner_is_tenant: has no effect any more (removed in Wallaby): images always belong to projects',
      'f.conf:3: [DEFAULT] registry_client_timeout: has no effect any more (removed in Ussuri): the api reaches the registry by [DEFAULT] transport_url, and needs no user for it',
      'f.conf:4: [DEFAULT] admin_role: has no effect any more: use the policy rule context_is_admin',
      'f.conf:6: [glance_store] sheepdog_store_port: has no effect any more (removed in Ussuri): Sheepdog is gone',
    ]);
  });

  test('but belong to a library of OpenStack, share one warning for their group', async () => {
    const content =
      '[DEFAULT]\nuse_syslog = true\nlog_config_append = x\n[oslo_messaging_rabbit]\nheartbeat_rate = 2\nssl = 1\n[profiler]\n';
    expect(await warnings(content)).toEqual([
      'f.conf:2: [DEFAULT] use_syslog, log_config_append: known to oslo.log, but without effect here',
      'f.conf:5: [oslo_messaging_rabbit] heartbeat_rate, ssl: known to oslo.messaging, but without effect here',
    ]);
  });

  test('that two declarations know under another name are told of once', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[DEFAULT]\nport = 1\n' });
    const renamed = declare('DEFAULT', { bind_port: integer({ aliases: ['port'], help: 'Port.' }) });
    expect(await scratch.warnings([renamed, { ...renamed }])).toEqual([
      'glance-api.conf:2: [DEFAULT] port is now called bind_port',
    ]);
  });

  test('cause none while they are declared for a group that a value names', async () => {
    using scratch = new Scratch({ 'glance-api.conf': '[fast]\nweight = 1\n[backend_defaults]\nweight = 2\n' });
    const place = { group: 'fast', fallback: 'backend_defaults' };
    const more = () => [{ declaration: storeOptions, ...place }];
    expect(await scratch.warnings([], { more })).toEqual([]);
    expect(await scratch.warnings([])).toHaveLength(2);
  });
});
