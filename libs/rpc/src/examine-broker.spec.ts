import { afterAll, describe, expect, it } from 'vitest';
import type { Finding } from '@glance/domain';
import type { RabbitSettings } from './config.js';
import { examineBroker } from './examine-broker.js';
import { GREETER, HeldGreeter } from './testing/contract.js';
import { TestBrokers, testRabbit, testSettings } from './testing/rabbit.js';
import { parseTransportUrl } from './transport-url.js';

const brokers = new TestBrokers();
afterAll(() => brokers.close());

const { host } = testRabbit();
const [hostname] = host.split(':') as [string];
const findings = (settings: RabbitSettings): Promise<Finding[]> => Array.fromAsync(examineBroker(settings, [GREETER]));
const at = (url: string): RabbitSettings => testSettings({ url: parseTransportUrl(url) });

describe('a look at the broker', () => {
  it('finds nothing wrong with one that does, leaves nothing, and counts who answers', async () => {
    const settings = testSettings();
    await brokers.add(settings).serve(GREETER, new HeldGreeter());
    const found = await findings(settings);
    expect(found.filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(found.map(({ fact }) => fact)).toEqual([
      `${host} lets guest into the virtual host /`,
      'guest can declare exchanges and queues, publish and read',
      `1 registries read the queue ${settings.controlExchange}.${GREETER.name}, where 0 calls wait`,
    ]);
  });

  it('can declare quorum queues where they are asked for, and says which queue was made otherwise', async () => {
    const settings = testSettings();
    await brokers.add(settings).serve(GREETER, new HeldGreeter());
    const [, rights, queue] = await findings({ ...settings, rabbitQuorumQueue: true });
    expect(rights).toEqual({ fact: 'guest can declare exchanges and quorum queues, publish and read' });
    expect(queue).toMatchObject({
      problem: expect.stringMatching(/made with other options/) as string,
      remedy: expect.stringContaining(`rabbitmqctl delete_queue --vhost / ${settings.controlExchange}.`) as string,
    });
  });

  it.each([
    [`rabbit://nobody:hunter2@${host}/`, /refuses the login of nobody/, /rabbitmqctl add_user nobody/],
    [`rabbit://guest:guest@${host}/nowhere`, /there is no virtual host nowhere/, /rabbitmqctl add_vhost nowhere/],
    [`rabbit://guest:guest@${hostname}:1/`, /:1 does not answer .*ECONNREFUSED/, /rabbitmq-diagnostics listeners/],
  ])('says what is wrong with %s', async (url, problem, remedy) => {
    const found = await findings(at(url));
    expect(found).toEqual([
      {
        fact: expect.any(String) as string,
        problem: expect.stringMatching(problem) as string,
        remedy: expect.stringMatching(remedy) as string,
      },
    ]);
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  it('looks at each host, and at the rest by one that lets us in', async () => {
    const found = await findings(at(`rabbit://guest:guest@${hostname}:1,guest:guest@${host}/`));
    expect(found.map(({ problem }) => problem !== undefined)).toEqual([true, false, false]);
  });
});
