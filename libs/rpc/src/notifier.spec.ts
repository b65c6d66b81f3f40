import { randomUUID } from 'node:crypto';
import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import { type LogFields, silentLogger } from '@glance/domain';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Notifier, rabbitNotifier } from './notifier.js';
import type { RabbitSettings } from './config.js';
import { testRabbit, testSettings } from './testing/rabbit.js';
import { TcpProxy } from './testing/tcp-proxy.js';

const patience = 10_000;

let model: ChannelModel;
let channel: Channel;
let line: TcpProxy;
let topic: string;
const notifiers = new Set<Notifier>();
const exchanges = new Set<string>();

beforeAll(async () => {
  model = await connect(testRabbit().href.replace('rabbit:', 'amqp:'));
});
afterAll(() => model.close());
beforeEach(async () => {
  topic = `test-${randomUUID()}.info`;
  channel = await model.createChannel();
  const { hostname, port } = testRabbit();
  line = await TcpProxy.to({ host: hostname, port: Number(port || 5672) });
});
afterEach(async () => {
  await Promise.all([...notifiers].map((notifier) => notifier.close()));
  notifiers.clear();
  await line.close();
  await channel.deleteQueue(topic);
  for (const exchange of exchanges) await channel.deleteExchange(exchange);
  exchanges.clear();
  await channel.close();
});

function start(changes: Partial<RabbitSettings> = {}, warn: (fields?: LogFields) => void = () => undefined): Notifier {
  const settings = testSettings(changes, line.address);
  exchanges.add(settings.controlExchange);
  const notifier = rabbitNotifier(settings, { ...silentLogger, warn: (_, fields) => warn(fields) });
  notifiers.add(notifier);
  return notifier;
}

async function received(): Promise<GetMessage> {
  const message = await channel.get(topic, { noAck: true });
  if (!message) throw new Error('The queue is empty.');
  return message;
}

const json = ({ content }: GetMessage): Record<string, unknown> =>
  JSON.parse(content.toString()) as Record<string, unknown>;

describe('a notifier on RabbitMQ', () => {
  test('leaves messages in the queue of the topic, persistent, for whoever comes later', async () => {
    const controlExchange = `test-${randomUUID()}`;
    await start({ controlExchange }).publish(topic, { event_type: 'one' }, 'messaging', patience);
    const message = await received();
    expect(message.fields).toMatchObject({ exchange: controlExchange, routingKey: topic });
    expect(message.properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
    expect(json(message)).toEqual({ event_type: 'one', _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
  });

  test('puts them into the envelope of messagingv2', async () => {
    await start().publish(topic, { event_type: 'one' }, 'messagingv2', patience);
    const envelope = json(await received());
    expect(envelope).toEqual({ 'oslo.version': '2.0', 'oslo.message': expect.any(String) as string });
    expect(JSON.parse(envelope['oslo.message'] as string)).toMatchObject({ event_type: 'one' });
  });

  test.each([
    [{}, { durable: false, arguments: {} }],
    [{ amqpDurableQueues: true }, { durable: true, arguments: {} }],
    [{ amqpAutoDelete: true }, { durable: false, autoDelete: true, arguments: {} }],
    [
      { rabbitQuorumQueue: true, rabbitQuorumDeliveryLimit: 3 },
      { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 3 } },
    ],
  ])('declares queue and exchange as oslo.messaging does with %j', async (changes, options) => {
    const controlExchange = `test-${randomUUID()}`;
    await start({ controlExchange, ...changes }).publish(topic, {}, 'messagingv2', patience);
    // Declaring it differently is an error.
    const { durable, autoDelete } = { autoDelete: false, ...options };
    await channel.assertQueue(topic, { autoDelete, ...options });
    await channel.assertExchange(controlExchange, 'topic', { durable, autoDelete });
    await received();
  });

  test('uses a queue that was made with other options as it is, and says so', async () => {
    await channel.assertQueue(topic, { durable: true });
    const warnings: unknown[] = [];
    const notifier = start({}, (fields) => warnings.push(fields?.['name']));
    await notifier.publish(topic, { n: 1 }, 'messaging', patience);
    await notifier.publish(topic, { n: 2 }, 'messaging', patience);
    expect(json(await received())).toMatchObject({ n: 1 });
    expect(json(await received())).toMatchObject({ n: 2 });
    expect(warnings).toEqual([topic]);
  });

  test('tells of a message whose queue was deleted, and makes the queue again for the next', async () => {
    const notifier = start();
    await notifier.publish(topic, { n: 1 }, 'messaging', patience);
    await channel.deleteQueue(topic);
    await expect(notifier.publish(topic, { n: 2 }, 'messaging', patience)).rejects.toThrow('deleted');
    await notifier.publish(topic, { n: 2 }, 'messaging', patience);
    expect(json(await received())).toMatchObject({ n: 2 });
  });

  test('makes the exchange again that was deleted', async () => {
    const controlExchange = `test-${randomUUID()}`;
    const notifier = start({ controlExchange });
    await notifier.publish(topic, { n: 1 }, 'messaging', patience);
    await channel.deleteExchange(controlExchange);
    await expect(notifier.publish(topic, { n: 2 }, 'messaging', patience)).rejects.toThrow();
    await notifier.publish(topic, { n: 3 }, 'messaging', patience);
    await received();
    expect(json(await received())).toMatchObject({ n: 3 });
  });

  test('does not claim to have sent what the queue refuses', async () => {
    await channel.assertQueue(topic, { durable: false, maxLength: 1, overflow: 'reject-publish' });
    const notifier = start();
    await notifier.publish(topic, { n: 1 }, 'messaging', patience);
    await expect(notifier.publish(topic, { n: 2 }, 'messaging', patience)).rejects.toThrow('nacked');
    await received();
    await notifier.publish(topic, { n: 3 }, 'messaging', patience);
    expect(json(await received())).toMatchObject({ n: 3 });
  });

  test('gives up after the patience it is told to have, and goes on when the broker is back', async () => {
    const notifier = start();
    await notifier.publish(topic, { n: 1 }, 'messaging', patience);
    await line.refuse();
    const began = performance.now();
    await expect(notifier.publish(topic, { n: 2 }, 'messaging', 300)).rejects.toThrow();
    await expect(notifier.publish(topic, { n: 2 }, 'messaging', 300)).rejects.toThrow('no connection');
    expect(performance.now() - began).toBeLessThan(3_000);
    const waiting = notifier.publish(topic, { n: 3 }, 'messaging', patience);
    await line.accept();
    await waiting;
    await received();
    expect(json(await received())).toMatchObject({ n: 3 });
  });

  test('does not wait for ever for a broker that has fallen silent', async () => {
    const notifier = start();
    await notifier.publish(topic, { n: 1 }, 'messaging', patience);
    line.stall();
    await expect(notifier.publish(topic, { n: 2 }, 'messaging', patience)).rejects.toThrow('does not confirm');
    line.resume();
    await notifier.publish(topic, { n: 3 }, 'messaging', patience);
  }, 20_000);
});
