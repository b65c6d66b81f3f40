import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Haproxy, startHaproxy } from './haproxy.js';
import { holdTransfers } from './held-transfers.js';
import { type ImageClient, imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { SteadyLoad } from './steady-load.js';
import { until } from './until.js';

const MiB = 1024 * 1024;

describe.runIf(target === 'ours')('two apis and two registries behind HAProxy', () => {
  let service: Installation;
  let proxy: Haproxy;
  let images: ImageClient;
  const apis: Part[] = [];
  const registries: Part[] = [];

  beforeAll(async () => {
    // HAProxy takes two failed health checks, one second apart, to notice.
    service = await install({ settings: { shutdown_notice: 4 } });
    for (let i = 0; i < 2; i += 1) {
      apis.push(await service.part('glance-api'));
      registries.push(await service.part('glance-registry'));
    }
    await Promise.all(service.parts.map((part) => part.start()));
    proxy = await startHaproxy(apis.map(({ port }) => port));
    images = imageClient(proxy.url);
  });
  afterAll(async () => {
    await proxy.close();
    await service.close();
  });

  it('are restarted one after the other without a failed request or a broken transfer', async () => {
    const data = randomBytes(64 * MiB);
    const id = await images.create();
    await images.upload(id, data);
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const loads = [new SteadyLoad({ url: proxy.url, agent }), new SteadyLoad({ url: proxy.url })];
    for (const part of [...registries, ...apis]) {
      // As many as there are apis: each of them has one of each kind.
      const transfers = await holdTransfers(images, { url: proxy.url, id, data, count: apis.length });
      const stopped = part.stop();
      await Promise.race([stopped, delay(6_000)]);
      const whole = await transfers.finish();
      expect(whole).toEqual(whole.map(() => true));
      await stopped;
      await part.start();
      await until('HAProxy sends requests to both', async () => (await proxy.serversUp()) === apis.length);
    }
    for (const load of loads) await load.settle();
    agent.destroy();
    for (const load of loads) {
      expect(load.wrong, load.report()).toEqual([]);
      expect(load.refused, load.report()).toEqual([]);
      expect(load.served).toBeGreaterThan(50);
    }
  });
});
