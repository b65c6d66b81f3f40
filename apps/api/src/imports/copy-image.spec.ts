import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServiceError } from '@glance/domain';
import { startService, type TestService } from '../testing/service.js';
import { octets, pattern, raw } from '../testing/uploading.js';

let service: TestService;

beforeAll(async () => {
  service = await startService({ stores: ['second', 'third'] });
});
afterAll(() => service.close());

const data = pattern(250_000);
const idOf = (path: string): string => path.split('/').at(-1)!;
const ask = (path: string, body: unknown, headers = {}) =>
  service.ask('POST', `${path}/import`, { body: JSON.stringify(body), headers });
const copy = (path: string, more: Record<string, unknown>) => ask(path, { method: { name: 'copy-image' }, ...more });
const direct = (path: string, more: Record<string, unknown>) =>
  ask(path, { method: { name: 'glance-direct' }, ...more });

async function staged(): Promise<string> {
  const path = await service.create(raw);
  await service.ask('PUT', `${path}/stage`, { headers: octets, body: data });
  return path;
}

interface Outcome {
  readonly status: string;
  readonly message: string;
}
async function outcome(path: string): Promise<Outcome> {
  const newest = async () => (await service.ask('GET', `${path}/tasks`)).json<{ tasks: Outcome[] }>().tasks[0]!;
  const over = (task: Outcome): boolean => ['success', 'failure'].includes(task.status);
  await expect.poll(newest, { timeout: 20_000 }).toSatisfy(over);
  return newest();
}
/** Which stores have the data. */
const holders = (path: string): string[] =>
  Object.entries(service.drivers)
    .filter(([, driver]) => driver.images.get(`memory://${idOf(path)}`)?.equals(data))
    .map(([id]) => id);

async function failing(store: string, work: () => Promise<void>): Promise<void> {
  service.drivers[store]!.onChunk = () => {
    throw new ServiceError('StorageFull', 'The store has no room left.');
  };
  await work();
  service.drivers[store]!.onChunk = () => undefined;
}

describe('an import into several stores', () => {
  it('writes all of them', async () => {
    const path = await staged();
    expect((await direct(path, { stores: ['memory', 'third'] })).status).toBe(202);
    expect((await outcome(path)).status).toBe('success');
    expect(holders(path)).toEqual(['memory', 'third']);
    expect(await service.show(path)).toMatchObject({ status: 'active', stores: 'memory,third' });
  });

  it('fails as a whole when one fails, and leaves nothing', async () => {
    const path = await staged();
    await failing('second', async () => {
      await direct(path, { all_stores: true });
      const { status, message } = await outcome(path);
      expect(status).toBe('failure');
      expect(message).toMatch(/failed at writing the data: The store has no room left\..*stage the data/);
    });
    expect(holders(path)).toEqual([]);
    expect(await service.show(path)).toMatchObject({
      status: 'queued',
      os_glance_importing_to_stores: '',
      os_glance_failed_import: 'memory,second,third',
    });
  });

  it('succeeds by those that do not fail, if that is enough', async () => {
    const path = await staged();
    await failing('second', async () => {
      await direct(path, { all_stores: true, all_stores_must_succeed: false });
      expect(await outcome(path)).toMatchObject({
        status: 'success',
        message: expect.stringContaining('Store second failed') as string,
      });
    });
    expect(holders(path)).toEqual(['memory', 'third']);
    expect(await service.show(path)).toMatchObject({
      status: 'active',
      stores: 'memory,third',
      os_glance_failed_import: 'second',
    });
  });

  it.each([
    ['stores and all_stores', { stores: ['second'], all_stores: true }, {}, 400],
    ['all_stores and the header', { all_stores: true }, { 'x-image-meta-store': 'second' }, 400],
    ['stores and the header', { stores: ['second'] }, { 'x-image-meta-store': 'second' }, 400],
    ['stores that are no list', { stores: 'second' }, {}, 400],
    ['a store that there is not', { stores: ['fourth'] }, {}, 409],
  ])('refuses %s', async (_, body, headers, status) => {
    const path = await staged();
    expect((await ask(path, { method: { name: 'glance-direct' }, ...body }, headers)).status).toBe(status);
  });

  it('goes to the store that the header names', async () => {
    const path = await staged();
    await ask(path, { method: { name: 'glance-direct' } }, { 'x-image-meta-store': 'second' });
    expect((await outcome(path)).status).toBe('success');
    expect(holders(path)).toEqual(['second']);
  });
});

describe('copy-image', () => {
  it('copies an active image into all other stores, which is not done twice', async () => {
    const path = await service.upload(data);
    expect((await copy(path, { all_stores: true })).status).toBe(202);
    expect((await outcome(path)).status).toBe('success');
    expect(holders(path)).toEqual(['memory', 'second', 'third']);
    expect(await service.show(path)).toMatchObject({ status: 'active', stores: 'memory,second,third' });
    expect((await copy(path, { all_stores: true })).status).toBe(202);
    expect((await service.ask('GET', `${path}/tasks`)).json<{ tasks: unknown[] }>().tasks).toHaveLength(1);
    expect((await copy(path, { stores: ['second'] })).status).toBe(400);
  });

  it('leaves the image as it was when it fails', async () => {
    const path = await service.upload(data);
    await failing('third', async () => {
      await copy(path, { stores: ['second', 'third'] });
      expect(await outcome(path)).toMatchObject({
        status: 'failure',
        message: expect.stringContaining('as it was') as string,
      });
    });
    expect(holders(path)).toEqual(['memory']);
    expect(await service.show(path)).toMatchObject({
      status: 'active',
      stores: 'memory',
      os_glance_failed_import: 'second,third',
    });
    await copy(path, { stores: ['second'] });
    expect((await outcome(path)).status).toBe('success');
  });

  it('does not spread data that is damaged', async () => {
    const path = await service.upload(data);
    service.driver.images.set(`memory://${idOf(path)}`, Buffer.from('rotten'));
    await copy(path, { stores: ['second'] });
    expect(await outcome(path)).toMatchObject({
      status: 'failure',
      message: expect.stringContaining('damaged') as string,
    });
    expect(service.drivers['second']!.images.has(`memory://${idOf(path)}`)).toBe(false);
  });

  it('does not touch what a store has under this id already', async () => {
    const path = await service.upload(data);
    service.drivers['second']!.images.set(`memory://${idOf(path)}`, data);
    await copy(path, { stores: ['second', 'third'] });
    expect((await outcome(path)).status).toBe('failure');
    expect(holders(path)).toEqual(['memory', 'second']);
  });

  it('is for administrators', async () => {
    const headers = { 'x-project': 'someone' };
    const created = await service.ask('POST', '/v2/images', { headers, body: raw });
    const { self: path } = created.json<{ self: string }>();
    await service.ask('PUT', `${path}/file`, { headers: { ...headers, ...octets }, body: data });
    const answer = await ask(path, { method: { name: 'copy-image' }, stores: ['second'] }, headers);
    expect(answer.status).toBe(403);
  });
});
