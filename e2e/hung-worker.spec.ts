import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { until } from './until.js';

let service: Installation;
let api: Part;

beforeAll(async () => {
  service = await install();
  api = await service.part('glance-api', { workers: 2 });
  const registry = await service.part('glance-registry');
  await Promise.all([api.start(), registry.start()]);
});
afterAll(() => service.close());

const workers = (): number[] => {
  const { pid } = api.process;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
};

it('a worker whose event loop stands still is replaced, and no other', async () => {
  await until('there are two workers', () => workers().length === 2);
  const [hung, other] = workers();
  process.kill(hung!, 'SIGSTOP');
  await until('it is gone', () => !workers().includes(hung!));
  await until('there are two workers again', () => workers().length === 2);
  expect(workers()).toContain(other);
  expect(api.process.log()).toMatch(/Worker \d+ has not reacted for 30 seconds and is killed/);
  await Promise.all(Array.from({ length: 8 }, () => imageClient(api.url).list()));
});
