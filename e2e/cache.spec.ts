import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { type ImageClient, imageClient } from './image-client.js';
import { command, type Service, startService, target } from './service.js';
import { type StockClients, stockClients, tableRows } from './stock-clients.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const scratch = scratchDirectory('disk');
const directory = join(scratch.path, 'cache');
const data = randomBytes(MiB);
let service: Service;
let clients: StockClients;
let images: ImageClient;

// Debian's is of 2022, and its cache needs a directory with attributes.
describe.runIf(target === 'ours')('the image cache', () => {
  beforeAll(async () => {
    service = await startService({
      settings: { image_cache_dir: directory, image_cache_max_size: 4 * MiB },
      groups: { paste_deploy: { flavor: 'cachemanagement' } },
    });
    clients = stockClients(service.url);
    images = imageClient(service.url);
  });
  afterAll(async () => {
    clients.close();
    await service.close();
    scratch.remove();
  });

  const upload = async (): Promise<string> => {
    const id = await images.create();
    await images.upload(id, data);
    return id;
  };
  /** The ids of all images in the table of python-glanceclient, and their states. */
  const listed = async (): Promise<string[][]> =>
    tableRows(await clients.glance('cache-list')).map((row) => [row[0]!, row[1]!, row[4]!]);
  const cachedNames = (): string[] => readdirSync(directory).filter((name) => name.includes('.'));
  const manage = async (...args: string[]): Promise<string> => {
    const where = ['-H', '127.0.0.1', '-p', String(service.port), '-f', '-v'];
    return (await run(command('glance-cache-manage'), [...args, ...where])).stdout;
  };
  const tool = async (name: string): Promise<string> =>
    (await run(command(name), ['--config-file', service.configFile])).stdout.trim();

  it('is looked after with python-glanceclient', async () => {
    const [one, other] = [await upload(), await upload()];
    await clients.glance('cache-queue', one, other);
    await until('both are cached', () => cachedNames().length === 2);
    expect((await listed()).toSorted()).toEqual(
      [one, other].map((id) => [id, 'cached', String(data.length)]).toSorted(),
    );
    await clients.glance('cache-delete', one);
    expect(await listed()).toEqual([[other, 'cached', String(data.length)]]);
    await clients.glance('cache-clear');
    expect(await listed()).toEqual([]);
  });

  it('serves what its store does not have any more', async () => {
    const id = await upload();
    expect((await images.download(id)).body.equals(data)).toBe(true);
    await until('it is cached', () => cachedNames().some((name) => name.startsWith(id)));
    writeFileSync(join(service.storeDirectory, id), '');
    expect((await images.download(id)).body.equals(data)).toBe(true);
    await images.remove(id);
    expect(cachedNames().filter((name) => name.startsWith(id))).toEqual([]);
  });

  it('is looked after with glance-cache-manage', async () => {
    expect(await manage('list-cached')).toBe('No cached images.\n');
    const id = await upload();
    expect(await manage('queue-image', id)).toBe(`Queued image ${id} for caching\n`);
    await until('it is cached', () => cachedNames().length === 1);
    const [row] = tableRows((await manage('list-cached')).replace(/^Found.*\n/, ''));
    expect(row).toEqual([id, row![1], row![2], String(data.length), '0']);
    expect(row!.slice(1, 3).every((time) => time.startsWith('20'))).toBe(true);
    expect(await manage('list-queued')).toBe('No queued images.\n');
    await manage('delete-cached-image', id);
    expect(cachedNames()).toEqual([]);
  });

  it('is filled, tidied and shrunk from outside', async () => {
    const id = await upload();
    writeFileSync(join(directory, 'queue', id), '');
    expect(await tool('glance-cache-prefetcher')).toBe('1 images cached, 0 failed');
    expect([cachedNames().length, existsSync(join(directory, 'queue', id))]).toEqual([1, false]);

    const halfWritten = join(directory, 'incomplete', `${cachedNames()[0]!}.1`);
    mkdirSync(join(directory, 'invalid'), { recursive: true });
    for (const path of [halfWritten, join(directory, 'invalid', id)]) {
      writeFileSync(path, 'x');
      utimesSync(path, 0, 0);
    }
    expect(await tool('glance-cache-cleaner')).toBe('2 files, 2 bytes removed');

    expect(await tool('glance-cache-pruner')).toBe('0 images, 0 bytes removed');
    const smaller = ['--config-file', service.configFile];
    const env = { ...process.env, OS_DEFAULT__IMAGE_CACHE_MAX_SIZE: '1000' };
    const pruned = await run(command('glance-cache-pruner'), smaller, { env });
    expect(pruned.stdout.trim()).toBe(`1 images, ${data.length} bytes removed`);
  });
});
