import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Reply, send } from './http.js';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly pid: number;
  readonly request_id?: string;
  readonly global_request_id?: string;
}

describe.runIf(target === 'ours')('the log', () => {
  let service: Installation;
  let api: Part;
  let directory: string;

  beforeAll(async () => {
    service = await install();
    directory = join(service.storeDirectory, '../logs');
    const settings = { log_dir: directory, use_json: 'true' };
    api = await service.part('glance-api', { ...settings, workers: 2 });
    const registry = await service.part('glance-registry', settings);
    await Promise.all([api.start(), registry.start()]);
  });
  afterAll(() => service.close());

  const fileOf = (program: string): string => join(directory, `${program}.log`);
  const lines = (program: string): Line[] =>
    readFileSync(fileOf(program), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text) as Line);
  const requestLine = (path: string): Line | undefined =>
    lines('glance-api').find(({ message }) => message.startsWith(`GET ${path} `));
  const list = (marker: string, headers: Record<string, string> = {}): Promise<Reply> =>
    send('GET', `${api.url}/v2/images?name=${marker}`, { headers });

  /** Brings these options into the file, tells every process, and waits until all have heard of it. */
  async function change(options: Readonly<Record<string, string>>, level: string): Promise<void> {
    const text = readFileSync(service.configFile, 'utf8').replace(/^(debug|default_log_levels) = .*\n/gm, '');
    const added = Object.entries(options).map(([name, value]) => `${name} = ${value}\n`);
    writeFileSync(service.configFile, text.replace('[DEFAULT]\n', `[DEFAULT]\n${added.join('')}`));
    const told = (program: string): Line[] =>
      lines(program).filter(({ message }) => message === `The log goes on at level ${level}.`);
    const before = { 'glance-api': told('glance-api').length, 'glance-registry': told('glance-registry').length };
    for (const part of service.parts) part.process.signal('SIGHUP');
    for (const [program, processes] of [
      ['glance-api', 3],
      ['glance-registry', 1],
    ] as const) {
      // A worker may hear of it twice: from whoever signals the whole group, and from the first process.
      const heard = () =>
        new Set(
          told(program)
            .slice(before[program])
            .map(({ pid }) => pid),
        );
      await until(`${program} heard of ${level}`, () => heard().size === processes);
    }
  }

  it('has one line for each request, with an id of its own and the one that came with it', async () => {
    const global = 'req-11111111-2222-3333-4444-555555555555';
    const [with_, without] = [await list('one', { 'x-openstack-request-id': global }), await list('two')];
    expect(with_.headers['x-openstack-request-id']).toBe(global);
    await until('both lines are there', () =>
      Boolean(requestLine('/v2/images?name=one') && requestLine('/v2/images?name=two')),
    );
    const own = expect.stringMatching(/^req-[0-9a-f-]{36}$/) as string;
    expect(requestLine('/v2/images?name=one')).toMatchObject({ request_id: own, global_request_id: global });
    expect(requestLine('/v2/images?name=one')?.request_id).not.toBe(global);
    const alone = requestLine('/v2/images?name=two');
    expect(alone?.request_id).toBe(without.headers['x-openstack-request-id']);
    expect(alone).not.toHaveProperty('global_request_id');
  });

  it('has debug messages from the moment on that the configuration says so, and those of a request in all processes', async () => {
    await change({ debug: 'true' }, 'DEBUG');
    const global = 'req-99999999-2222-3333-4444-555555555555';
    await list('three', { 'x-openstack-request-id': global });
    await until('the line is there', () => requestLine('/v2/images?name=three') !== undefined);
    const { request_id } = requestLine('/v2/images?name=three')!;
    const inRegistry = (): Line[] => lines('glance-registry').filter((line) => line.global_request_id === global);
    await until('the registry has told of it', () => inRegistry().length > 0);
    expect(inRegistry()).toEqual([
      expect.objectContaining({ level: 'DEBUG', message: 'Call of images.list.', request_id }),
    ]);
    await change({ debug: 'false' }, 'INFO');
    const before = lines('glance-registry').filter(({ level }) => level === 'DEBUG').length;
    await list('four');
    await until('the line is there', () => requestLine('/v2/images?name=four') !== undefined);
    expect(lines('glance-registry').filter(({ level }) => level === 'DEBUG')).toHaveLength(before);
  });

  it('has the level of default_log_levels, whatever debug is', async () => {
    await change({ debug: 'true', default_log_levels: 'amqp=INFO,glance=WARNING' }, 'WARNING');
    await list('silent');
    await change({}, 'INFO');
    await list('told');
    await until('the line is there', () => requestLine('/v2/images?name=told') !== undefined);
    expect(requestLine('/v2/images?name=silent')).toBeUndefined();
  });

  it('says of an import whose request it was', async () => {
    const id = await imageClient(api.url).create();
    const reply = await send('POST', `${api.url}/v2/images/${id}/import`, {
      headers: { 'content-type': 'application/json', 'x-openstack-request-id': 'req-import' },
      body: JSON.stringify({ method: { name: 'web-download', uri: 'http://user:hunter2@192.0.2.1:81/x' } }),
    });
    if (reply.status !== 202) expect(reply.body.toString()).not.toContain('hunter2');
    const staged = await imageClient(api.url).create();
    await send('PUT', `${api.url}/v2/images/${staged}/stage`, {
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.from('QFI\xfb not much of an image', 'latin1'),
    });
    await send('POST', `${api.url}/v2/images/${staged}/import`, {
      headers: { 'content-type': 'application/json', 'x-openstack-request-id': 'req-import' },
      body: JSON.stringify({ method: { name: 'glance-direct' } }),
    });
    const failed = (): Line | undefined =>
      lines('glance-api').find(({ message }) => message === 'An import failed and is undone.');
    await until('the import failed', () => failed() !== undefined);
    expect(failed()?.request_id).toBe('req-import');
  });

  it('goes on in a new file after somebody moved the old one away', async () => {
    for (const program of ['glance-api', 'glance-registry']) renameSync(fileOf(program), `${fileOf(program)}.1`);
    for (const part of service.parts) part.process.signal('SIGHUP');
    for (const program of ['glance-api', 'glance-registry']) {
      await until('there is a new file', () => existsSync(fileOf(program)));
    }
    await list('five');
    await until('the line is there', () => requestLine('/v2/images?name=five') !== undefined);
  });

  it('holds no secret', async () => {
    await send('GET', `${api.url}/v2/images?token=hunter2`, { headers: { 'x-auth-token': 'hunter2' } });
    await until('the line is there', () => requestLine('/v2/images?token=***') !== undefined);
    for (const program of ['glance-api', 'glance-registry']) {
      const text = readFileSync(fileOf(program), 'utf8') + readFileSync(`${fileOf(program)}.1`, 'utf8');
      expect(text).not.toMatch(/hunter2|:\/\/\w+:\w+@/);
    }
  });
});
