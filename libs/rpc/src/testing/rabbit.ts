import { randomUUID } from 'node:crypto';
import type { Declaration, ValuesOf } from '@glance/config';
import { silentLogger, type Logger } from '@glance/domain';
import type { Broker } from '../broker.js';
import { messagingOptions, rabbitOptions, rabbitSettings, type RabbitSettings } from '../config.js';
import { rabbitBroker } from '../rabbit.js';
import { parseTransportUrl } from '../transport-url.js';

/** The RabbitMQ that `npm test` starts. */
export function testRabbit(): URL {
  const url = process.env['GLANCE_TEST_RABBIT'];
  if (!url) throw new Error('GLANCE_TEST_RABBIT must name a RabbitMQ, like rabbit://guest:guest@127.0.0.1:5672/.');
  return new URL(url);
}

/** The values of a declaration when no source has any. */
export function defaultsOf<D extends Declaration>({ options }: D): ValuesOf<D> {
  const camelCase = (name: string) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [camelCase(name), option.default]),
  ) as ValuesOf<D>;
}

/** Settings of the test RabbitMQ with queues of their own and little patience. `hosts` is the part behind `rabbit://`. */
export function testSettings(changes: Partial<RabbitSettings> = {}, hosts?: string): RabbitSettings {
  const { host, username, password } = testRabbit();
  const url = parseTransportUrl(`rabbit://${username}:${password}@${hosts ?? host}/`);
  return {
    ...rabbitSettings(url, defaultsOf(messagingOptions), defaultsOf(rabbitOptions)),
    controlExchange: `test-${randomUUID()}`,
    rabbitRetryInterval: 0.1,
    rabbitRetryBackoff: 0,
    kombuReconnectDelay: 0.05,
    rpcOutageGrace: 2,
    ...changes,
  };
}

/** Brokers that `close` closes together. */
export class TestBrokers {
  readonly #open = new Set<Broker>();

  add(settings: RabbitSettings, logger: Logger = silentLogger): Broker {
    const broker = rabbitBroker(settings, logger);
    this.#open.add(broker);
    return broker;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((broker) => broker.close()));
    this.#open.clear();
  }
}
