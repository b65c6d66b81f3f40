import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idleConnections, playScene, type Scene } from './outages.js';

/** Milliseconds. */
const away = 20_000;
/** Longer than any call waits. */
const hung = 45_000;
/** Milliseconds. No call takes longer than 30 s; the rest is for a busy machine. */
const patience = 35_000;

describe('a service of three processes under load', { timeout: 600_000 }, () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await playScene();
  });
  afterAll(() => scene.close());

  type Step = (scene: Scene) => Promise<void>;
  const outages: readonly [string, number, Step, Step][] = [
    ['MariaDB is stopped', away, ({ service }) => service.mariadb.stop(), ({ service }) => service.mariadb.start()],
    [
      'MariaDB hangs',
      hung,
      async ({ service }) => service.mariadb.signal('SIGSTOP'),
      async ({ service }) => service.mariadb.signal('SIGCONT'),
    ],
    ['RabbitMQ is stopped', away, ({ service }) => service.rabbitmq.stop(), ({ service }) => service.rabbitmq.start()],
    [
      'RabbitMQ hangs',
      hung,
      async ({ service }) => service.rabbitmq.signal('SIGSTOP'),
      async ({ service }) => service.rabbitmq.signal('SIGCONT'),
    ],
  ];

  it.each(outages)('loses nothing and resumes by itself when %s', async (_, duration, begin, end) => {
    const before = await idleConnections(scene);
    const load = scene.load({ clients: 4, patience });
    await load.recovers();
    await begin(scene);
    try {
      await delay(duration);
    } finally {
      await end(scene);
    }
    expect(load.refused.length, load.report()).toBeGreaterThan(0);
    await load.recovers();
    await scene.expectOrder(load);
    expect((await idleConnections(scene))['broker']).toBe(before['broker']);
  });

  it('needs no more memory after twenty short outages than after five', async () => {
    const outage = async (): Promise<void> => {
      const load = scene.load({ clients: 4, patience });
      await load.recovers();
      scene.brokerLine.cut();
      await load.recovers();
      scene.databaseLine.cut();
      await load.recovers();
      await scene.expectOrder(load);
    };
    for (let round = 0; round < 5; round += 1) await outage();
    const before = memory(scene);
    for (let round = 0; round < 15; round += 1) await outage();
    const after = memory(scene);
    for (const [name, mebibytes] of Object.entries(after)) {
      expect(mebibytes, JSON.stringify({ before, after })).toBeLessThan(before[name]! + 40);
    }
  });
});

/** Resident memory of each process, in MiB. */
function memory(scene: Scene): Record<string, number> {
  const parts = ['api', 'registry', 'scrubber'] as const;
  return Object.fromEntries(
    parts.map((name) => {
      const status = readFileSync(`/proc/${scene[name].process.pid}/status`, 'utf8');
      return [name, Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024)];
    }),
  );
}
