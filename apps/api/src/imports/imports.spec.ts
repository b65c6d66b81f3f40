import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { octets, pattern, raw } from '../testing/uploading.js';

interface ImageTask {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly message: string;
  readonly input: Record<string, unknown>;
  readonly result: Record<string, unknown> | null;
}

let service: TestService;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());
beforeEach(() => {
  service.driver.onChunk = () => undefined;
  service.driver.onPublish = () => undefined;
});

const stage = (path: string, body: unknown) => service.ask('PUT', `${path}/stage`, { headers: octets, body });
const importImage = (path: string, body: unknown = { method: { name: 'glance-direct' } }) =>
  service.ask('POST', `${path}/import`, { body: JSON.stringify(body) });
const tasksOf = async (path: string): Promise<ImageTask[]> =>
  (await service.ask('GET', `${path}/tasks`)).json<{ tasks: ImageTask[] }>().tasks;

/** The newest task of an image, once it is over. */
async function outcome(path: string): Promise<ImageTask> {
  const newest = async (): Promise<ImageTask | undefined> => (await tasksOf(path))[0];
  const isOver = (task: ImageTask | undefined): boolean => task?.status === 'success' || task?.status === 'failure';
  await expect.poll(newest, { timeout: 20_000 }).toSatisfy(isOver);
  return (await newest())!;
}

async function staged(bytes: Uint8Array | string, attributes: Record<string, unknown> = raw): Promise<string> {
  const path = await service.create(attributes);
  expect((await stage(path, bytes)).status).toBe(204);
  return path;
}

describe('staging', () => {
  it('keeps data until the image is imported', async () => {
    const path = await service.create(raw);
    expect((await stage(path, pattern(100_000))).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'uploading', size: 100_000, checksum: null });
    expect(service.staging.images.size).toBe(1);
    expect((await stage(path, 'again')).status).toBe(409);
    expect((await service.ask('DELETE', path)).status).toBe(204);
    await expect.poll(() => service.staging.images.size, { timeout: 10_000 }).toBe(0);
  });

  it('that breaks off leaves nothing, and can be repeated', async () => {
    const path = await service.create(raw);
    const headers = { ...octets, 'x-openstack-image-size': '5' };
    const answer = await service.ask('PUT', `${path}/stage`, {
      headers,
      body: (async function* () {
        yield Buffer.from('abc');
      })(),
    });
    expect(answer.status).toBe(400);
    expect(await service.show(path)).toMatchObject({ status: 'queued', size: null });
    expect(service.staging.images.size).toBe(0);
    expect((await stage(path, 'abcde')).status).toBe(204);
    expect((await importImage(path)).status).toBe(202);
    expect((await outcome(path)).status).toBe('success');
  });

  it('wants plain bytes', async () => {
    const path = await service.create(raw);
    expect((await service.ask('PUT', `${path}/stage`, { body: { a: 1 } })).status).toBe(415);
  });
});

describe('glance-direct', () => {
  it('brings staged data into the store, and leaves nothing in staging', async () => {
    const data = pattern(300_000);
    const path = await staged(data);
    const answer = await importImage(path);
    expect([answer.status, answer.text]).toEqual([202, '']);
    const task = await outcome(path);
    const id = path.split('/').at(-1);
    expect(task).toMatchObject({ type: 'api_image_import', status: 'success', result: { image_id: id } });
    expect(await service.show(path)).toMatchObject({
      status: 'active',
      size: 300_000,
      virtual_size: 300_000,
      os_glance_importing_to_stores: '',
      os_glance_failed_import: '',
    });
    expect(await service.show(path)).not.toHaveProperty('os_glance_import_task');
    expect((await service.ask('GET', `${path}/file`)).bytes.equals(data)).toBe(true);
    await expect.poll(() => service.staging.images.size, { timeout: 10_000 }).toBe(0);
  });

  it('says why it failed, and can be repeated', async () => {
    const path = await staged('no qcow2', { ...raw, disk_format: 'qcow2' });
    await importImage(path);
    const task = await outcome(path);
    expect(task.status).toBe('failure');
    expect(task.message).toMatch(/failed at inspecting the data: .*qcow2.*queued again/);
    expect(await service.show(path)).toMatchObject({ status: 'queued', size: null, checksum: null });
    await expect.poll(() => service.staging.images.size, { timeout: 10_000 }).toBe(0);
    const id = path.split('/').at(-1)!;
    expect(service.driver.images.has(`memory://${id}`)).toBe(false);
    await service.ask('PATCH', path, {
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: [{ op: 'replace', path: '/disk_format', value: 'raw' }],
    });
    await stage(path, 'no qcow2');
    await importImage(path);
    expect((await outcome(path)).status).toBe('success');
  });

  it('shows the task and refuses another while it is under way', async () => {
    const path = await staged(pattern(200_000));
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    service.driver.onPublish = () => {
      reached.resolve();
      return go.promise;
    };
    await importImage(path);
    await reached.promise;
    const [task] = await tasksOf(path);
    expect(task?.status).toBe('processing');
    expect(await service.show(path)).toMatchObject({ status: 'importing', os_glance_import_task: task!.id });
    expect((await importImage(path)).status).toBe(409);
    expect((await importImage(path, { method: { name: 'copy-image' } })).status).toBe(409);
    go.resolve();
    expect((await outcome(path)).status).toBe('success');
  });

  it('ends when the image is deleted, and leaves nothing', async () => {
    const path = await staged(pattern(200_000));
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    service.driver.onPublish = () => {
      reached.resolve();
      return go.promise;
    };
    await importImage(path);
    await reached.promise;
    expect((await service.ask('DELETE', path)).status).toBe(204);
    go.resolve();
    const id = path.split('/').at(-1)!;
    await expect.poll(() => service.staging.images.size, { timeout: 20_000 }).toBe(0);
    await expect.poll(() => service.driver.images.has(`memory://${id}`), { timeout: 20_000 }).toBe(false);
  });

  it('needs data that is staged, and formats', async () => {
    const queued = await service.create(raw);
    expect((await importImage(queued)).status).toBe(409);
    const formless = await staged('abc', {});
    expect((await importImage(formless)).status).toBe(409);
  });
});

describe('a request to import', () => {
  it.each([
    ['without a method', {}],
    ['whose method is a text', { method: 'glance-direct' }],
    ['without a name', { method: {} }],
    ['by an unknown method', { method: { name: 'teleport' } }],
    ['by a method that is not enabled', { method: { name: 'glance-download' } }],
    ['from the web without a URL', { method: { name: 'web-download' } }],
    ['from a file', { method: { name: 'web-download', uri: 'file:///etc/passwd' } }],
    ['from what is no URL', { method: { name: 'web-download', uri: 'http://' } }],
    ['with all_stores that is no boolean', { method: { name: 'glance-direct' }, all_stores: 'yes' }],
    [
      'that may fail in part with a single store',
      { method: { name: 'glance-direct' }, all_stores_must_succeed: false },
    ],
    ['that is a list', []],
  ])('%s is refused', async (_, body) => {
    const path = await staged('abc');
    expect((await importImage(path, body)).status).toBe(400);
    expect(await service.show(path)).toMatchObject({ status: 'uploading' });
  });

  it('for an image of somebody else is refused', async () => {
    const path = await staged('abc');
    const headers = { 'x-project': 'stranger' };
    const body = JSON.stringify({ method: { name: 'glance-direct' } });
    expect((await service.ask('POST', `${path}/import`, { headers, body })).status).toBe(404);
    expect((await service.ask('GET', `${path}/tasks`, { headers })).status).toBe(404);
  });

  it('is announced', async () => {
    const { headers } = await service.ask('POST', '/v2/images', { body: {} });
    expect(headers['openstack-image-import-methods']).toBe('glance-direct,web-download,copy-image');
  });
});
