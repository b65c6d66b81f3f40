import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';
import { pattern, raw } from '../testing/uploading.js';
import { serve, type WebServer, webServer } from '../testing/web-server.js';

const MiB = 1024 * 1024;
const data = pattern(5 * MiB);
const sha256 = createHash('sha256').update(data).digest('hex');
let service: TestService;
const servers: WebServer[] = [];

beforeAll(async () => {
  const settings = { allowedPorts: [], allowedNetworks: ['127.0.0.0/8'], webDownloadRetries: 1 };
  service = await startService({ settings });
});
afterAll(() => service.close());
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function served(...how: Parameters<typeof webServer>): Promise<string> {
  const server = await webServer(...how);
  servers.push(server);
  return `http://name:secret@127.0.0.1:${server.port}/image`;
}

interface Task {
  readonly status: string;
  readonly message: string;
  readonly input: { readonly import_req: { readonly method: { readonly uri: string } } };
}

const ask = (path: string, method: object) =>
  service.ask('POST', `${path}/import`, { body: JSON.stringify({ method: { name: 'web-download', ...method } }) });

/** The task of an import, once it is over. */
async function imported(path: string, method: object): Promise<Task> {
  expect((await ask(path, method)).status).toBe(202);
  const newest = async () => (await service.ask('GET', `${path}/tasks`)).json<{ tasks: Task[] }>().tasks[0]!;
  await expect.poll(newest, { timeout: 20_000 }).toSatisfy(({ status }: Task) => /success|failure/.test(status));
  return newest();
}

describe('an import from the web', () => {
  it('makes the image active, and shows no password', async () => {
    const server = await served(serve(data, { breakAfter: 2 * MiB, etag: '"v1"' }));
    const path = await service.create(raw);
    const task = await imported(path, { uri: server });
    expect(task.status).toBe('success');
    expect(task.input.import_req.method.uri).toMatch(/^http:\/\/\*\*\*@127/);
    expect(await service.show(path)).toMatchObject({ status: 'active', size: data.length });
    expect((await service.ask('GET', `${path}/file`)).bytes.equals(data)).toBe(true);
    expect(servers[0]!.requests[0]!.headers.authorization).toMatch(/^Basic /);
  });

  it('of data with the digest that was claimed succeeds, with another fails', async () => {
    const uri = await served(serve(data));
    const path = await service.create(raw);
    const claimed = (os_hash_value: string) => ({
      uri,
      validation_data: { os_hash_algo: 'sha256', os_hash_value },
    });
    const failed = await imported(path, claimed(sha256.replace(/^./, (digit: string) => (digit === '0' ? '1' : '0'))));
    expect(failed).toMatchObject({ status: 'failure', message: expect.stringContaining(sha256) as string });
    expect(await service.show(path)).toMatchObject({ status: 'queued', size: null });
    expect((await imported(path, claimed(sha256))).status).toBe('success');
    expect((await ask(path, claimed('abc'))).status).toBe(400);
  });

  it('that fails says at which step and why, leaves nothing, and can be repeated', async () => {
    const before = service.driver.images.size;
    const path = await service.create(raw);
    const missing = await imported(path, { uri: await served((_, response) => void response.writeHead(404).end()) });
    expect(missing.message).toMatch(
      /^The import failed at the download: 127.0.0.1:\d+: it answered 404 .* is queued again/,
    );
    const broken = await imported(path, { uri: await served(serve(data, { breakAfter: MiB })) });
    expect(broken.message).toMatch(/^The import failed at the download: .* broke after 1048576 bytes/);
    expect(await service.show(path)).toMatchObject({ status: 'queued', os_glance_failed_import: '' });
    expect(service.driver.images.size).toBe(before);
    expect((await imported(path, { uri: await served(serve(data)) })).status).toBe('success');
  });

  it.each(['http://10.0.0.1/x', 'http://0xa9fea9fe/latest/meta-data', 'ftp://127.0.0.1/', 'http://[::1]/'])(
    'from %s is refused at once',
    async (uri) => {
      const path = await service.create(raw);
      expect((await ask(path, { uri })).status).toBe(400);
      expect(await service.show(path)).toMatchObject({ status: 'queued' });
    },
  );
});
