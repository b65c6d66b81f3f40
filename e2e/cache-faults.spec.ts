import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { type CountingOrigin, countingOrigin } from './counting-origin.js';
import { json, send } from './http.js';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { type Service, startService } from './service.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const scratch = scratchDirectory('disk');
afterAll(() => scratch.remove());

/** One service whose images lie on a web server. */
function withOrigin(cacheDirectory: string, mebibytes: number) {
  const parts: { service: Service; origin: CountingOrigin; id: string } = {} as never;
  beforeEach(async () => {
    mkdirSync(cacheDirectory, { recursive: true });
    parts.origin = await countingOrigin(mebibytes);
    const storeDirectory = join(scratch.path, `images-${randomBytes(4).toString('hex')}`);
    parts.service = await startService({
      storeDirectory,
      settings: { image_cache_dir: cacheDirectory, show_multiple_locations: 'true' },
      groups: {
        paste_deploy: { flavor: 'caching' },
        glance_store: {
          stores: 'file,http',
          filesystem_store_datadir: storeDirectory,
          http_store_allowed_networks: '127.0.0.0/8',
        },
      },
    });
    parts.id = await imageClient(parts.service.url).create();
    const { url, digests } = parts.origin;
    const location = { url, metadata: {}, validation_data: digests };
    const reply = await send('PATCH', `${parts.service.url}/v2/images/${parts.id}`, {
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: JSON.stringify([{ op: 'add', path: '/locations/-', value: location }]),
    });
    expect([reply.status, reply.body.toString()]).toEqual([200, expect.stringContaining('"active"')]);
    parts.origin.reads.length = 0;
  });
  afterEach(async () => {
    await parts.service.close();
    await parts.origin.close().catch(() => undefined);
    for (const name of readdirSync(cacheDirectory)) rmSync(join(cacheDirectory, name), { recursive: true });
  });
  return parts;
}

/** Downloads an image and answers with how many bytes came, and their checksum. */
function download(url: string, id: string): Promise<{ bytes: number; crc: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ bytes: number; crc: number }>();
  let [bytes, crc] = [0, 0];
  get(`${url}/v2/images/${id}/file`, { agent: false }, (response) => {
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      crc = crc32(chunk, crc);
    });
    response.once('error', reject);
    response.once('end', () => resolve({ bytes, crc }));
  }).once('error', reject);
  return promise;
}

const cached = async (url: string): Promise<string[]> =>
  (json(await send('GET', `${url}/v2/cache`)) as { cached_images: { image_id: string }[] }).cached_images.map(
    ({ image_id }) => image_id,
  );

describe('two hundred who want an image at once', () => {
  const directory = join(scratch.path, 'cache-many');
  const parts = withOrigin(directory, 256);
  const most = (pid: number): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

  it('cost their store one read, and none once it is cached, in little memory', { timeout: 1_800_000 }, async () => {
    const { service, origin, id } = parts;
    const right = { bytes: origin.size, crc: origin.crc };
    const round = async (): Promise<void> => {
      const bodies = await Promise.all(Array.from({ length: 200 }, () => download(service.url, id)));
      expect(bodies.filter(({ bytes, crc }) => bytes !== right.bytes || crc !== right.crc)).toEqual([]);
    };
    const before = most(service.process.pid);
    await round();
    expect(origin.reads).toEqual([0]);
    const first = most(service.process.pid);
    await until('it is cached', async () => (await cached(service.url)).length === 1);
    await origin.close();
    await round();
    const second = most(service.process.pid);
    console.log(`peak memory in MiB: ${before.toFixed(0)} before, ${first.toFixed(0)}, ${second.toFixed(0)}`);
    // Buffers of readers are bounded in all: what is left is what each request has, and it does not grow with the image.
    expect(first - before).toBeLessThan(120);
    expect(second - before).toBeLessThan(160);
  });
});

describe('while an image comes into the cache', () => {
  const directory = join(scratch.path, 'cache-faults');
  const parts = withOrigin(directory, 32);
  const right = (): { bytes: number; crc: number } => ({ bytes: parts.origin.size, crc: parts.origin.crc });
  const growing = (): string[] => readdirSync(join(directory, 'incomplete'));

  it('kill -9 leaves nothing that is served', async () => {
    const { service, origin, id } = parts;
    const held = origin.hold(16 * MiB);
    const broken = download(service.url, id).catch(() => undefined);
    await held.reached;
    await until('half of it is there', () => growing().length === 1);
    await service.kill();
    await broken;
    held.release();
    expect(growing()).toHaveLength(1);
    await service.start();
    expect(await cached(service.url)).toEqual([]);
    expect(await download(service.url, id)).toEqual(right());
    expect(await download(service.url, id)).toEqual(right());
    await until('it is cached', async () => (await cached(service.url)).length === 1);
    expect(growing()).toEqual([]);
  });

  it('its deletion takes it away, and its readers have the rest', async () => {
    const { service, origin, id } = parts;
    const held = origin.hold(16 * MiB);
    const body = download(service.url, id);
    await held.reached;
    await until('half of it is there', () => growing().length === 1);
    expect((await imageClient(service.url).remove(id)).status).toBe(204);
    expect(growing()).toEqual([]);
    held.release();
    expect(await body).toEqual(right());
    expect(await cached(service.url)).toEqual([]);
  });
});

describe('a disk that fills up while an image comes into the cache', () => {
  const directory = join(scratch.path, 'cache-small');
  beforeAll(async () => {
    mkdirSync(directory);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', directory]);
  });
  afterAll(() => run('umount', ['-l', directory]));
  const parts = withOrigin(directory, 32);

  it('costs the download nothing', async () => {
    const { service, origin, id } = parts;
    const held = origin.hold(8 * MiB);
    const body = download(service.url, id);
    await held.reached;
    const file = openSync(join(directory, 'of-others'), 'w');
    try {
      for (;;) writeSync(file, Buffer.alloc(MiB));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    } finally {
      closeSync(file);
    }
    held.release();
    expect(await body).toEqual({ bytes: origin.size, crc: origin.crc });
    expect([await cached(service.url), readdirSync(join(directory, 'incomplete'))]).toEqual([[], []]);
    rmSync(join(directory, 'of-others'));
    expect(await download(service.url, id)).toEqual({ bytes: origin.size, crc: origin.crc });
    await until('it is cached', async () => (await cached(service.url)).length === 1);
  });
});

describe('two hosts with caches', () => {
  let installation: Installation;
  let apis: Part[];
  beforeAll(async () => {
    const more = join(scratch.path, 'flavor.conf');
    writeFileSync(more, '[paste_deploy]\nflavor = caching\n');
    installation = await install({ more });
    const registry = await installation.part('glance-registry');
    apis = await Promise.all(
      ['one', 'other'].map((name) =>
        installation.part('glance-api', {
          image_cache_dir: join(scratch.path, `cache-${name}`),
          worker_self_reference_url: `http://${name}`,
        }),
      ),
    );
    await Promise.all([registry, ...apis].map((part) => part.start()));
  });
  afterAll(() => installation.close());

  it('know of each other, and let go of an image together', async () => {
    const [one, other] = apis as [Part, Part];
    const images = imageClient(one.url);
    const id = await images.create();
    const data = randomBytes(MiB);
    await images.upload(id, data);
    for (const { url } of apis) expect((await imageClient(url).download(id)).body.equals(data)).toBe(true);
    const nodes = async (): Promise<unknown> => json(await send('GET', `${one.url}/v2/cache/nodes/${id}`));
    await until('both are known to have it', async () => ((await nodes()) as string[]).length === 2);
    expect(await nodes()).toEqual(['http://one', 'http://other']);
    expect((await images.remove(id)).status).toBe(204);
    expect(await cached(one.url)).toEqual([]);
    // Sooner than the other would find out by itself.
    await until('the other has let go of it', async () => (await cached(other.url)).length === 0, 20);
    expect((await imageClient(other.url).download(id)).status).toBe(404);
  });
});
