import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { begin } from './http.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

const KiB = 1024;

describe.runIf(target === 'ours')('an api with workers = 2', () => {
  let service: Installation;
  let api: Part;
  let images: ImageClient;

  beforeAll(async () => {
    service = await install();
    api = await service.part('glance-api', { workers: 2 });
    const registry = await service.part('glance-registry');
    await Promise.all([api.start(), registry.start()]);
    images = imageClient(api.url);
  });
  afterAll(() => service.close());

  const workers = (): number[] => {
    const { pid } = api.process;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  };
  /** Those that have a line about a request in the log. */
  const haveServed = (pids: readonly number[]): boolean =>
    pids.every((pid) => new RegExp(`^\\S+ \\S+ ${pid} INFO \\S+ \\S+ GET /v2/images`, 'm').test(api.process.log()));

  async function bothServe(): Promise<void> {
    await until('there are two workers', () => workers().length === 2);
    const pids = workers();
    await until('both have served', async () => {
      await Promise.all([1, 2, 3, 4].map(() => images.list()));
      return haveServed(pids);
    });
  }

  it('serves by two processes on one port', bothServe);

  it('replaces one that is killed, while the other goes on', async () => {
    const [first, second] = workers();
    process.kill(first!, 'SIGKILL');
    await until('it is gone', () => !workers().includes(first!));
    expect(workers()).toContain(second);
    await images.list();
    await bothServe();
    expect(workers()).not.toContain(first);
  });

  it.each([
    ['its first process', (pid: number) => process.kill(pid, 'SIGTERM')],
    ['all of its processes', () => api.process.signal('SIGTERM')],
  ])('ends after the transfers that are under way when SIGTERM comes to %s', async (_, tell) => {
    const id = await images.create();
    const data = randomBytes(200 * KiB);
    const headers = { 'content-type': 'application/octet-stream', 'content-length': data.length };
    const { request, replied } = begin('PUT', `${api.url}/v2/images/${id}/file`, headers);
    request.write(data.subarray(0, 100 * KiB));
    await until('the upload is under way', async () => (await images.image(id)).status === 'saving');
    tell(api.process.pid);
    await until('new requests are refused', () =>
      images.show(id).then(
        ({ status }) => status === 503,
        () => true,
      ),
    );
    request.end(data.subarray(100 * KiB));
    expect((await replied).statusCode).toBe(204);
    expect(await api.process.exited).toEqual({ code: 0, signal: null });
    await api.start();
    expect((await images.download(id)).body.equals(data)).toBe(true);
  });
});
