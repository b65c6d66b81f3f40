import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { octets, pattern, raw } from '../testing/uploading.js';

let service: TestService;

beforeAll(async () => {
  const settings = { allowedPorts: [], allowedNetworks: ['127.0.0.0/8'], webDownloadRetries: 0 };
  service = await startService({ settings });
});
afterAll(() => service.close());

const input = {
  import_from: 'http://127.0.0.1:9/image',
  import_from_format: 'raw',
  image_properties: { name: 'by task', note: 'x' },
};
const create = (body: unknown, headers = {}) =>
  service.ask('POST', '/v2/tasks', { body: JSON.stringify(body), headers });

describe('the tasks API', () => {
  it('creates a task of type import, with an image', async () => {
    const answer = await create({ type: 'import', input });
    expect(answer.status).toBe(201);
    const task = answer.json<Record<string, string>>();
    expect(task).toMatchObject({
      type: 'import',
      input,
      self: `/v2/tasks/${task['id']}`,
      schema: '/v2/schemas/task',
    });
    expect(answer.headers.location).toBe(`${service.api.url}/v2/tasks/${task['id']}`);
    expect(await service.show(`/v2/images/${task['image_id']}`)).toMatchObject({
      name: 'by task',
      note: 'x',
      disk_format: 'raw',
    });
    const shown = (await service.ask('GET', task['self']!)).json();
    expect(shown).toMatchObject({ id: task['id'], input });
  });

  it.each([
    ['another type', { type: 'export', input }],
    ['no type', { input }],
    ['no input', { type: 'import' }],
    ['no URL', { type: 'import', input: { ...input, import_from: undefined } }],
    ['a URL that does not pass the filter', { type: 'import', input: { ...input, import_from: 'http://10.1.2.3/' } }],
    ['no format', { type: 'import', input: { ...input, import_from_format: undefined } }],
    ['no properties', { type: 'import', input: { ...input, image_properties: undefined } }],
  ])('refuses %s', async (_, body) => {
    expect((await create(body)).status).toBe(400);
  });

  it('lists stubs, page by page', async () => {
    await create({ type: 'import', input });
    await create({ type: 'import', input });
    const first = (await service.ask('GET', '/v2/tasks?limit=1')).json<{
      tasks: Record<string, unknown>[];
      next: string;
    }>();
    expect(first).toMatchObject({ first: '/v2/tasks?limit=1', schema: '/v2/schemas/tasks' });
    expect(first.tasks[0]).not.toHaveProperty('input');
    const second = (await service.ask('GET', first.next)).json<{ tasks: Record<string, unknown>[] }>();
    expect(second.tasks[0]!['id']).not.toBe(first.tasks[0]!['id']);
    for (const query of ['type=api_image_import', 'status=odd', 'limit=-1', 'sort_key=odd', 'sort_dir=up']) {
      expect((await service.ask('GET', `/v2/tasks?${query}`)).status).toBe(400);
    }
    expect((await service.ask('GET', '/v2/tasks?type=import&status=success')).status).toBe(200);
  });

  it('is for administrators', async () => {
    const headers = { 'x-project': 'someone' };
    expect((await create({ type: 'import', input }, headers)).status).toBe(403);
    expect((await service.ask('GET', '/v2/tasks', { headers })).status).toBe(403);
    expect((await service.ask('GET', '/v2/tasks/none')).status).toBe(404);
  });

  it('cancels an import when its task is deleted, and the image can be imported again', async () => {
    const path = await service.create(raw);
    const stage = () => service.ask('PUT', `${path}/stage`, { headers: octets, body: pattern(100_000) });
    const direct = { body: JSON.stringify({ method: { name: 'glance-direct' } }) };
    await stage();
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    service.driver.onPublish = () => {
      reached.resolve();
      return go.promise;
    };
    await service.ask('POST', `${path}/import`, direct);
    await reached.promise;
    const { tasks } = (await service.ask('GET', `${path}/tasks`)).json<{ tasks: { id: string }[] }>();
    expect((await service.ask('DELETE', `/v2/tasks/${tasks[0]!.id}`)).status).toBe(204);
    go.resolve();
    service.driver.onPublish = () => undefined;
    const status = async () => (await service.ask('GET', `/v2/tasks/${tasks[0]!.id}`)).json();
    await expect
      .poll(status, { timeout: 20_000 })
      .toMatchObject({ status: 'failure', message: 'The import was cancelled.' });
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
    expect(service.driver.images.size).toBe(0);
    expect((await service.ask('DELETE', `/v2/tasks/${tasks[0]!.id}`)).status).toBe(409);
    await stage();
    expect((await service.ask('POST', `${path}/import`, direct)).status).toBe(202);
    await expect.poll(() => service.show(path), { timeout: 20_000 }).toMatchObject({ status: 'active' });
  });
});
