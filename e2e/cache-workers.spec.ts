import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { until } from './until.js';

const MiB = 1024 * 1024;
const scratch = scratchDirectory('disk');
const directory = join(scratch.path, 'cache');
let service: Installation;
let api: Part;
let images: ImageClient;

beforeAll(async () => {
  service = await install();
  const settings = { workers: 2, image_cache_dir: directory, image_cache_max_size: 8 * MiB };
  api = await service.part('glance-api', settings, { OS_PASTE_DEPLOY__FLAVOR: 'caching' });
  const registry = await service.part('glance-registry');
  await Promise.all([api.start(), registry.start()]);
  images = imageClient(api.url);
});
afterAll(async () => {
  await service.close();
  scratch.remove();
});

const upload = async (data: Buffer): Promise<string> => {
  const id = await images.create();
  expect((await images.upload(id, data)).status).toBe(204);
  return id;
};
const downloads = (count: number, id: string) => Promise.all(Array.from({ length: count }, () => images.download(id)));
const entries = (): string[] => readdirSync(directory).filter((name) => name.includes('.'));
/** The workers that served the data of an image, by the lines of the log. */
const served = (id: string): Set<string> => {
  const lines = api.process.log().split('\n');
  const found = lines.filter((line) => line.includes(`/v2/images/${id}/file`) && line.includes('GET'));
  return new Set(found.map((line) => line.split(' ')[2]!));
};

it('workers of one api share a cache: one fills it, both serve from it, and both let go', async () => {
  const data = randomBytes(6 * MiB);
  const id = await upload(data);
  for (const { body } of await downloads(8, id)) expect(body.equals(data)).toBe(true);
  await until('it is cached', () => entries().length === 1);
  rmSync(join(service.storeDirectory, id));
  for (const { body } of await downloads(8, id)) expect(body.equals(data)).toBe(true);
  await until('both have said so', () => served(id).size === 2);

  await images.remove(id);
  await until('it is gone', () => entries().length === 0);
  expect((await downloads(8, id)).map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 404));
});

it('workers of one api keep the cache below its size together', async () => {
  const datas = Array.from({ length: 6 }, () => randomBytes(3 * MiB));
  const ids = await Promise.all(datas.map(upload));
  let most = 0;
  const watching = setInterval(() => {
    const names = [...entries(), ...readdirSync(join(directory, 'incomplete')).map((name) => join('incomplete', name))];
    const sizes = names.map((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0);
    most = Math.max(
      most,
      sizes.reduce((sum, size) => sum + size, 0),
    );
  }, 5);
  for (let round = 0; round < 3; round++) {
    const all = await Promise.all(ids.map((id) => downloads(4, id)));
    all.forEach((replies, index) => {
      for (const { body } of replies) expect(body.equals(datas[index]!)).toBe(true);
    });
  }
  clearInterval(watching);
  expect(most).toBeGreaterThanOrEqual(3 * MiB);
  expect(most).toBeLessThanOrEqual(8 * MiB);
});
