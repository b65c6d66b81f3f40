import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idleConnections, playScene, type Scene } from './outages.js';
import { json, send } from './http.js';
import { says } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

describe.runIf(target === 'ours')('a service of three processes under load', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await playScene();
  });
  afterAll(() => scene.close());

  const reasons = async (adminUrl: string): Promise<string> =>
    String((json(await send('GET', `${adminUrl}/ready`)) as { reasons: string[] }).reasons);

  it.each(['registry', 'scrubber'] as const)('loses nothing when its %s is killed', async (part) => {
    const load = scene.load();
    await load.recovers();
    await scene[part].kill();
    await delay(1_000);
    await scene[part].start();
    await load.recovers();
    await scene.expectOrder(load);
  });

  it('loses nothing when its api is killed', async () => {
    const load = scene.load();
    await load.recovers();
    await load.mayBreak(async () => {
      await scene.api.kill();
      await scene.api.start();
    });
    await load.recovers();
    await scene.expectOrder(load);
  });

  it('refuses early while no registry is there, says so to its supervisor, and resumes by itself', async () => {
    await scene.registry.kill();
    const load = scene.load();
    await until('requests are refused at once', () => load.refused.some(({ milliseconds }) => milliseconds < 500));
    expect(Math.max(...load.refused.map(({ milliseconds }) => milliseconds))).toBeLessThan(9_000);
    expect(await reasons(scene.api.adminUrl)).toContain('registry: none takes calls');
    expect(await reasons(scene.scrubber.adminUrl)).toContain('registry: none takes calls');
    expect(await says(scene.api.adminUrl, 'live')).toBe(true);
    await scene.registry.start();
    await until('the api is ready', () => says(scene.api.adminUrl, 'ready'));
    await load.recovers();
    await scene.expectOrder(load);
  });

  it('resumes by itself when RabbitMQ is killed and started again', async () => {
    const load = scene.load();
    await load.recovers();
    await scene.service.rabbitmq.kill();
    await scene.service.rabbitmq.start();
    await load.recovers();
    await scene.expectOrder(load);
  });

  it('resumes by itself after a restart of the database, and names it while it is away', async () => {
    const load = scene.load();
    await load.recovers();
    await scene.service.mariadb.kill();
    await until('the registry is not ready', async () =>
      (await reasons(scene.registry.adminUrl)).includes('database:'),
    );
    await until('requests are refused', () => load.refused.length > 0);
    await scene.service.mariadb.start();
    await load.recovers();
    await scene.expectOrder(load);
  });

  it('loses nothing and leaks no connection when its lines are cut again and again', async () => {
    const before = await idleConnections(scene);
    const load = scene.load({ clients: 4 });
    for (let round = 0; round < 6; round += 1) {
      await load.recovers();
      (round % 2 === 0 ? scene.brokerLine : scene.databaseLine).cut();
    }
    await load.recovers();
    await scene.expectOrder(load);
    expect((await idleConnections(scene))['broker']).toBe(before['broker']);
  });

  it('comes up by itself when the broker was not there at its start', async () => {
    const { api, registry, scrubber, brokerLine } = scene;
    const parts = [api, registry, scrubber];
    await Promise.all(parts.map((part) => part.stop()));
    await brokerLine.refuse();
    await Promise.all(parts.map((part) => part.start('live')));
    const load = scene.load();
    await until('requests are refused', () => load.refused.length > 0);
    for (const { adminUrl } of parts) expect(await says(adminUrl, 'ready')).toBe(false);
    await brokerLine.accept();
    for (const { adminUrl } of parts) await until('it is ready', () => says(adminUrl, 'ready'));
    await load.recovers();
    await scene.expectOrder(load);
  });
});
