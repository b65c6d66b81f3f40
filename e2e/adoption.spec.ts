import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMariadb } from '../tools/services/mariadb.js';
import { freePort } from '../tools/services/ports.js';
import { startRabbitmq } from '../tools/services/rabbitmq.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { startProcess } from '../tools/services/server-process.js';
import { type CommandResult, run } from './command.js';
import { type DebianGlance, debianGlance } from './debian-glance.js';
import { json, type Reply, send } from './http.js';
import { root, target } from './service.js';
import { until } from './until.js';

const KiB = 1024;
const octets = { 'content-type': 'application/octet-stream' };
const patchType = { 'content-type': 'application/openstack-images-v2.1-json-patch' };

/** A database and a directory of files, and what each service needs to work on them. */
interface Place {
  readonly databaseUrl: string;
  /** Absent: ours runs as one process. */
  readonly transportUrl?: string;
  /** Further options of the group [DEFAULT], of both services. */
  readonly settings?: Readonly<Record<string, string>>;
  close(): Promise<unknown>;
}

const places: readonly { name: string; make: (directory: string) => Promise<Place> }[] = [
  {
    name: 'MariaDB',
    async make() {
      const [mariadb, rabbitmq] = await Promise.all([startMariadb(), startRabbitmq()]);
      return {
        databaseUrl: await mariadb.createDatabase(),
        transportUrl: rabbitmq.url,
        close: () => Promise.all([mariadb.close(), rabbitmq.close()]),
      };
    },
  },
  {
    name: 'SQLite, with encrypted locations',
    make: async (directory) => ({
      databaseUrl: `sqlite:///${directory}/glance.sqlite`,
      settings: { metadata_encryption_key: '0123456789abcdef0123456789abcdef' },
      close: async () => undefined,
    }),
  },
];

/** Requests to either service, whose answer must be as expected. */
function client(url: string) {
  const ask = async (expected: number, method: string, path: string, body?: unknown, headers = {}): Promise<Reply> => {
    const data = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const type = Buffer.isBuffer(body) ? octets : { 'content-type': 'application/json' };
    const reply = await send(method, `${url}/v2/images${encodeURI(path)}`, {
      headers: { ...type, ...headers },
      ...(data !== undefined && { body: data }),
    });
    expect(reply.status, `${method} ${path}: ${reply.body.toString().slice(0, 300)}`).toBe(expected);
    return reply;
  };
  return {
    ask,
    async create(image: Readonly<Record<string, unknown>>): Promise<string> {
      const reply = await ask(201, 'POST', '', { disk_format: 'raw', container_format: 'bare', ...image });
      return (json(reply) as { id: string }).id;
    },
    patch: (id: string, changes: readonly unknown[]) => ask(200, 'PATCH', `/${id}`, changes, patchType),
    upload: (id: string, data: Buffer) => ask(204, 'PUT', `/${id}/file`, data),
    data: async (id: string) => (await ask(200, 'GET', `/${id}/file`)).body,
  };
}

/** All that either service tells of these images. Tags have no order. */
async function views(url: string, ids: readonly string[]): Promise<unknown> {
  const { ask } = client(url);
  const images = await Promise.all(
    ids.map(async (id) => {
      const image = json(await ask(200, 'GET', `/${id}`)) as { tags: string[]; visibility: string };
      const members = image.visibility === 'shared' ? json(await ask(200, 'GET', `/${id}/members`)) : undefined;
      return { ...image, tags: image.tags.toSorted(), members };
    }),
  );
  const pages = ['?sort=name:asc&limit=1000', '?os_hidden=true', '?tag=blau', '?size_min=1&sort=size:asc', '?hw=Ω'];
  const lists = await Promise.all(
    pages.map(async (page) =>
      (json(await ask(200, 'GET', page)) as { images: { id: string }[] }).images.map(({ id }) => id),
    ),
  );
  return { images, lists };
}

describe.runIf(target === 'ours').each(places)('a database that Glance has made and filled on $name', ({ make }) => {
  const directory = scratchDirectory('disk');
  const storeDirectory = join(directory.path, 'images');
  const sent = new Map<string, Buffer>();
  const ids: string[] = [];
  let place: Place;
  let glance: DebianGlance;
  let configFile: string;
  let seenByGlance: unknown;

  beforeAll(async () => {
    mkdirSync(storeDirectory);
    place = await make(directory.path);
    glance = debianGlance(place.databaseUrl, storeDirectory, place.settings);
    configFile = join(directory.path, 'ours.conf');
    await glance.manage('db_sync');
    await glance.serving(async (url) => {
      await fill(url);
      seenByGlance = await views(url, ids);
    });
  });
  afterAll(async () => {
    await place.close();
    glance.remove();
    directory.remove();
  });

  async function fill(url: string): Promise<void> {
    const { ask, create, patch, upload } = client(url);
    const add = async (image: Readonly<Record<string, unknown>>, size = 0): Promise<string> => {
      const id = await create(image);
      ids.push(id);
      if (size > 0) {
        sent.set(id, randomBytes(size));
        await upload(id, sent.get(id)!);
      }
      return id;
    };
    const rich = { hw: 'Ω', empty: '', long: 'x'.repeat(30_000), os_distro: 'debian', ключ: 'значение' };
    const full = await add(
      { name: 'a full one', visibility: 'public', tags: ['rot', 'blau', 'grün'], ...rich },
      300 * KiB,
    );
    await patch(full, [{ op: 'remove', path: '/os_distro' }]);
    await patch(full, [{ op: 'add', path: '/os_distro', value: 'debian again' }]);
    await ask(204, 'DELETE', `/${full}/tags/rot`);
    await ask(204, 'PUT', `/${full}/tags/rot`);
    const shared = await add({ name: 'b shared', visibility: 'shared', min_disk: 3, min_ram: 512 }, 10 * KiB);
    for (const member of ['one', 'two', 'three']) await ask(200, 'POST', `/${shared}/members`, { member });
    await ask(204, 'DELETE', `/${shared}/members/two`);
    await ask(204, 'DELETE', `/${shared}/members/three`);
    await ask(200, 'POST', `/${shared}/members`, { member: 'three' });
    await add({ name: 'c waits for data', visibility: 'private', protected: true });
    await add({ name: 'd hidden', os_hidden: true, visibility: 'community' }, KiB);
    await add({ name: 'e without formats', disk_format: null, container_format: null });
    const off = await add({ name: 'f deactivated' }, KiB);
    await ask(204, 'POST', `/${off}/actions/deactivate`);
    await add({ name: null });
    await add({ name: 'g will go' }, KiB);
    const deleted = await create({ id: deletedId, name: 'h is gone' });
    await upload(deleted, randomBytes(KiB));
    await ask(204, 'DELETE', `/${deleted}`);
    const far = await add({ name: 'i lies on the web' });
    await withWebServer(async (location) => {
      await patch(far, [{ op: 'add', path: '/locations/-', value: { url: location, metadata: { far: 'yes' } } }]);
    });
  }

  const byName = (name: string): string => {
    const { images } = seenByGlance as { images: { id: string; name: string | null }[] };
    return images.find((image) => image.name === name)!.id;
  };
  const ourManage = (...args: string[]): Promise<CommandResult> =>
    run(join(root, 'bin/glance-manage'), ['--config-file', configFile, ...args], { failure: 'answer' });

  async function configure(port: number): Promise<void> {
    const { databaseUrl, transportUrl, settings = {} } = place;
    const lines = [
      '[DEFAULT]',
      `bind_host = 127.0.0.1`,
      `bind_port = ${port}`,
      'workers = 1',
      'show_multiple_locations = true',
      ...(transportUrl === undefined ? [] : [`transport_url = ${transportUrl}`]),
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
      '[database]',
      `connection = ${databaseUrl}`,
      '[glance_store]',
      `filesystem_store_datadir = ${storeDirectory}`,
    ];
    writeFileSync(configFile, `${lines.join('\n')}\n`);
  }

  async function servingOurs<T>(work: (url: string) => Promise<T>): Promise<T> {
    const port = await freePort();
    await configure(port);
    const url = `http://127.0.0.1:${port}`;
    const programs = place.transportUrl === undefined ? ['glance-api'] : ['glance-api', 'glance-registry'];
    const processes = await Promise.all(
      programs.map((program) =>
        startProcess({
          command: join(root, 'bin', program),
          args: ['--config-file', configFile],
          ready: async () => true,
        }),
      ),
    );
    try {
      await until('ours serves', () =>
        fetch(`${url}/v2/images?limit=1`).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      return await work(url);
    } finally {
      await Promise.all(processes.map((process) => process.stop()));
    }
  }

  it('is not touched before it is brought up to date', async () => {
    await configure(0);
    expect(await ourManage('db', 'check')).toMatchObject({ code: 3 });
    expect((await ourManage('db', 'version')).stdout.trim()).toBe('wallaby_contract01');
    const registry = await run(
      join(root, 'bin', place.transportUrl === undefined ? 'glance-api' : 'glance-registry'),
      ['--config-file', configFile],
      { failure: 'answer' },
    );
    expect(registry).toMatchObject({ code: 1 });
    expect(registry.stderr).toContain('glance-manage db sync');
  });

  it('keeps its revision when it is brought up to date', async () => {
    expect(await ourManage('db', 'sync')).toMatchObject({ code: 0 });
    expect(await ourManage('db', 'check')).toMatchObject({ code: 0 });
    expect((await ourManage('db', 'version')).stdout.trim()).toBe('wallaby_contract01');
  });

  it('looks the same through ours, data included', async () => {
    await servingOurs(async (url) => {
      expect(await views(url, ids)).toEqual(seenByGlance);
      const { ask, data } = client(url);
      for (const [id, bytes] of sent) {
        if (id !== byName('f deactivated')) expect((await data(id)).equals(bytes)).toBe(true);
      }
      await ask(404, 'GET', `/${deletedId}`);
      await ask(409, 'POST', '', { id: deletedId, disk_format: 'raw', container_format: 'bare' });
    });
  });

  it('takes all changes through ours, and Glance reads them', async () => {
    const gone = byName('g will go');
    const added: string[] = [];
    const seenByOurs = await servingOurs(async (url) => {
      const { ask, create, patch, upload } = client(url);
      const full = byName('a full one');
      await patch(full, [
        { op: 'replace', path: '/name', value: 'a fuller one' },
        { op: 'remove', path: '/empty' },
        { op: 'remove', path: '/os_distro' },
        { op: 'add', path: '/hw', value: 'Ж' },
      ]);
      await ask(204, 'DELETE', `/${full}/tags/grün`);
      await ask(204, 'PUT', `/${full}/tags/gelb`);
      const shared = byName('b shared');
      await ask(200, 'POST', `/${shared}/members`, { member: 'two' });
      await ask(204, 'DELETE', `/${shared}/members/one`);
      await upload(byName('c waits for data'), Buffer.from('here it is'));
      await ask(204, 'POST', `/${byName('f deactivated')}/actions/reactivate`);
      await ask(204, 'DELETE', `/${gone}`);
      added.push(await create({ name: 'j is new', visibility: 'shared', tags: ['neu'], some: 'thing' }));
      sent.set(added[0]!, randomBytes(2000 * KiB));
      await upload(added[0]!, sent.get(added[0]!)!);
      await ask(200, 'POST', `/${added[0]}/members`, { member: 'four' });
      return views(url, [...ids.filter((id) => id !== gone), ...added]);
    });
    expect(readdirSync(storeDirectory)).not.toContain(gone);

    await glance.serving(async (url) => {
      const { ask, data, patch } = client(url);
      expect(await views(url, [...ids.filter((id) => id !== gone), ...added])).toEqual(seenByOurs);
      await ask(404, 'GET', `/${gone}`);
      for (const [id, bytes] of sent) if (id !== gone) expect((await data(id)).equals(bytes)).toBe(true);
      const image = json(await ask(200, 'GET', `/${added[0]}`)) as Record<string, unknown>;
      const digest = (kind: string): string => createHash(kind).update(sent.get(added[0]!)!).digest('hex');
      expect(image).toMatchObject({ checksum: digest('md5'), os_hash_value: digest('sha512'), status: 'active' });
      await patch(added[0]!, [{ op: 'replace', path: '/name', value: 'j changed by Glance' }]);
      await ask(204, 'DELETE', `/${added[0]}`);
      expect(readdirSync(storeDirectory)).not.toContain(added[0]);
    });
  });

  it('can still be looked after by the glance-manage of Glance', async () => {
    expect((await glance.manage('db_version')).trim()).toBe('wallaby_contract01');
    await glance.manage('db_sync');
    await glance.manage('db', 'purge', '--age_in_days', '0');
    expect(await ourManage('db', 'check')).toMatchObject({ code: 0 });
    expect(await ourManage('db', 'purge', '--age_in_days', '0')).toMatchObject({ code: 0 });
    expect(await ourManage('db', 'purge_images_table', '--age_in_days', '0')).toMatchObject({ code: 0 });
  });
});

const deletedId = '11111111-2222-4333-8444-555555555555';

/** A server that has 1000 bytes for everybody. */
async function withWebServer(work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-length': 1000 }).end(Buffer.alloc(1000)),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/image`);
  server.close();
}
