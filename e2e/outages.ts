import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { TcpProxy } from '../libs/rpc/src/testing/tcp-proxy.js';
import { connectionsTo } from './connections.js';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { type LoadOptions, SteadyLoad } from './steady-load.js';
import { until } from './until.js';

/** An api, a registry and a scrubber, whose lines to broker and database can be cut. */
export interface Scene {
  readonly service: Installation;
  readonly api: Part;
  readonly registry: Part;
  readonly scrubber: Part;
  readonly brokerLine: TcpProxy;
  readonly databaseLine: TcpProxy;
  load(options?: Partial<LoadOptions>): SteadyLoad;
  /** Ends the load and checks that nothing was wrong, is wrong or is left over. */
  expectOrder(load: SteadyLoad): Promise<void>;
  close(): Promise<void>;
}

export async function playScene(): Promise<Scene> {
  const lines = new Map<string, TcpProxy>();
  const service = await install({
    // What is interrupted is taken up again when its lease has run out: so let that not take a minute.
    settings: { upload_lease_time: 10, recovery_interval: 1, wakeup_time: 1 },
    through: async (kind, url) => {
      const { hostname: host, port, host: place } = new URL(url.replace(/^[^:]+/, 'http'));
      const line = await TcpProxy.to({ host, port: Number(port) });
      lines.set(kind, line);
      return url.replace(place, line.address);
    },
  });
  const [api, registry, scrubber] = [
    await service.part('glance-api'),
    await service.part('glance-registry'),
    await service.part('glance-scrubber'),
  ];
  await Promise.all(service.parts.map((part) => part.start()));
  const images = imageClient(api.url);

  return {
    service,
    api,
    registry,
    scrubber,
    brokerLine: lines.get('broker')!,
    databaseLine: lines.get('database')!,
    load: (options) => new SteadyLoad({ url: api.url, ...options }),
    async expectOrder(load) {
      await load.settle();
      expect(load.wrong, load.report()).toEqual([]);
      const settled = ['active', 'queued'];
      await until('no image is stuck', async () =>
        (await images.list()).every(({ status }) => settled.includes(status)),
      );
      const list = await images.list();
      const active = list.filter(({ status }) => status === 'active').map(({ id }) => id);
      expect(active).toEqual(expect.arrayContaining([...load.kept]));
      const stored = (): string[] => readdirSync(service.storeDirectory).toSorted();
      await until('nothing is left in the store', () => stored().length <= active.length);
      expect(stored()).toEqual(active.toSorted());
      for (const id of active) await images.remove(id);
      for (const { id } of list.filter(({ status }) => status === 'queued')) await images.remove(id);
    },
    async close() {
      await service.close();
      await Promise.all([...lines.values()].map((line) => line.close()));
    },
  };
}

/** Connections that the processes hold to broker and database when nothing is asked of them. */
export async function idleConnections({ service, brokerLine, databaseLine }: Scene): Promise<Record<string, number>> {
  const count = (): Record<string, number> => ({
    broker: connectionsTo(portOf(brokerLine.address)),
    database: connectionsTo(portOf(databaseLine.address)),
  });
  // The pool closes what it does not keep after some seconds.
  await until('the pool of the registry has shrunk', () => count()['database']! <= 5);
  const own = Number(
    await service.mariadb.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'glance'"),
  );
  expect(own).toBe(count()['database']);
  return { ...count(), behindBroker: connectionsTo(portOf(service.rabbitmq.url)) };
}

function portOf(place: string): number {
  return Number(/:(\d+)\/?$/.exec(place)![1]);
}
