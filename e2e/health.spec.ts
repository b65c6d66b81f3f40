import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, send } from './http.js';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part, says } from './installation.js';
import { isHealthy, target } from './service.js';
import { until } from './until.js';

describe.runIf(target === 'ours')('a process tells its supervisor', () => {
  let service: Installation;
  let api: Part;
  let registry: Part;
  let disable: string;

  beforeAll(async () => {
    service = await install({ settings: { shutdown_notice: 3 } });
    disable = join(service.storeDirectory, '../disable');
    api = await service.part('glance-api', {}, { OS_HEALTHCHECK__DISABLE_BY_FILE_PATH: disable });
    registry = await service.part('glance-registry');
    await Promise.all([api.start(), registry.start()]);
  });
  afterAll(() => service.close());

  const reasons = async ({ adminUrl }: Part): Promise<readonly string[]> =>
    (json(await send('GET', `${adminUrl}/ready`)) as { reasons: string[] }).reasons;

  it('that it lives and is ready, and nothing else at that port', async () => {
    for (const part of [api, registry]) {
      expect(await says(part.adminUrl, 'live')).toBe(true);
      expect(json(await send('GET', `${part.adminUrl}/ready`))).toEqual({ ready: true, reasons: [] });
      expect((await fetch(`${part.adminUrl}/v2/images`)).status).toBe(404);
    }
  });

  it('nothing while its event loop stands still', async () => {
    for (const part of [api, registry]) {
      part.process.signal('SIGSTOP');
      const signal = AbortSignal.timeout(1_000);
      await expect(fetch(`${part.adminUrl}/live`, { signal })).rejects.toThrow(/timeout/);
      part.process.signal('SIGCONT');
      expect(await says(part.adminUrl, 'live')).toBe(true);
    }
  });

  it('that an operator wants no requests there, by a file', async () => {
    await writeFile(disable, '');
    const reply = await send('GET', `${api.url}/healthcheck`);
    expect([reply.status, reply.body.toString()]).toEqual([503, 'DISABLED BY FILE']);
    expect((await imageClient(api.url).list()).length).toBe(0);
    await rm(disable);
    expect(await isHealthy(api.url)).toBe(true);
  });

  it('that the default store cannot be used, and when it can be again', async () => {
    await rename(service.storeDirectory, `${service.storeDirectory}.away`);
    await until('the api is not ready', async () => (await reasons(api)).length > 0);
    expect(await reasons(api)).toEqual([expect.stringMatching(/^store: filesystem_store_datadir must be a directory/)]);
    expect(await isHealthy(api.url)).toBe(true);
    await rename(`${service.storeDirectory}.away`, service.storeDirectory);
    await until('the api is ready', () => says(api.adminUrl, 'ready'));
  });

  it('that it is about to stop, while it goes on', async () => {
    const stopped = api.stop();
    await until('the api is not ready', async () => !(await says(api.adminUrl, 'ready')));
    expect(await reasons(api)).toEqual(['The process is about to stop.']);
    expect(await isHealthy(api.url)).toBe(false);
    expect(await imageClient(api.url).list()).toEqual([]);
    expect(await says(api.adminUrl, 'live')).toBe(true);
    await stopped;
  });
});
