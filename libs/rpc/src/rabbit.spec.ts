import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect, type ChannelModel, type Options } from 'amqplib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { remote } from './broker.js';
import type { RabbitSettings } from './config.js';
import { GREETER, type Greeter, HeldGreeter } from './testing/contract.js';
import { testRabbit, TestBrokers, testSettings } from './testing/rabbit.js';

const brokers = new TestBrokers();
afterEach(() => brokers.close());

interface Sides {
  readonly settings: RabbitSettings;
  readonly greeter: Greeter;
  readonly held: HeldGreeter;
}

async function bothSides(changes: Partial<RabbitSettings> = {}): Promise<Sides> {
  const settings = testSettings(changes);
  const held = new HeldGreeter();
  await brokers.add(settings).serve(GREETER, held);
  return { settings, held, greeter: remote(GREETER, brokers.add(settings)) };
}

async function failureOf(call: Promise<unknown>): Promise<{ error: unknown; after: number }> {
  const begin = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, after: performance.now() - begin };
}

describe('a call that nobody answers', () => {
  test('fails after its time-out with the outcome unknown, and its late answer is dropped', async () => {
    const settings = testSettings();
    const held = new HeldGreeter();
    await brokers.add(settings).serve(GREETER, held);
    const calling = brokers.add(settings);
    const { error, after } = await failureOf(remote(GREETER, calling).hasty('late'));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'timeout', outcome: 'unknown' } });
    expect(after).toBeGreaterThan(350);
    expect(after).toBeLessThan(2_000);
    held.release();
    await vi.waitFor(() => expect(calling.status().lateReplies).toBe(1));
    expect(calling.status().callsInFlight).toBe(0);
  });

  test('waits no longer than rpc_response_timeout', async () => {
    const { greeter } = await bothSides({ rpcResponseTimeout: 1 });
    const { error, after } = await failureOf(greeter.repeatable('slow'));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'timeout' } });
    expect(after).toBeLessThan(3_000);
  });

  test('is not executed when a registry comes after its time-out', async () => {
    const settings = testSettings();
    const first = brokers.add(settings);
    await first.serve(GREETER, new HeldGreeter());
    await first.close();
    const greeter = remote(GREETER, brokers.add(settings));
    // The one with more time left is ahead in the queue.
    const patient = greeter.repeatable('patient');
    expect((await failureOf(greeter.hasty('expired'))).error).toMatchObject({ details: { reason: 'timeout' } });
    const second = new HeldGreeter();
    await brokers.add(settings).serve(GREETER, second);
    await second.hasBegun();
    expect(await greeter.greet('you')).toBe('Hello you');
    expect(second.begun).toEqual(['patient']);
    second.release();
    await patient;
  });
});

describe('a call while no registry runs', () => {
  test('fails early, and surely was not executed', async () => {
    const greeter = remote(GREETER, brokers.add(testSettings({ rpcOutageGrace: 0.5 })));
    const { error, after } = await failureOf(greeter.single('x'));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'no registry', outcome: 'not executed' } });
    expect(after).toBeLessThan(3_000);
  });

  test('fails at once when there has been none for a while', async () => {
    const greeter = remote(GREETER, brokers.add(testSettings({ rpcOutageGrace: 0.5 })));
    await failureOf(greeter.single('x'));
    expect((await failureOf(greeter.single('x'))).after).toBeLessThan(200);
  });

  test('is answered by one that starts in time', async () => {
    const settings = testSettings();
    const call = remote(GREETER, brokers.add(settings)).count();
    const held = new HeldGreeter();
    await brokers.add(settings).serve(GREETER, held);
    expect(await call).toBe(1);
    expect(held.counted).toBe(1);
  });
});

describe('overload', () => {
  test('fails the call that is one too many in this process, at once', async () => {
    const { greeter, held } = await bothSides({ rpcCallsInFlight: 3 });
    const calls = ['a', 'b', 'c'].map((label) => greeter.single(label));
    const { error, after } = await failureOf(greeter.single('d'));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'overloaded', outcome: 'not executed' } });
    expect(after).toBeLessThan(100);
    await held.hasBegun(3);
    held.release();
    await Promise.all(calls);
    expect(await greeter.greet('you')).toBe('Hello you');
  });

  test('fails the call that is one too many in the queue, at once', async () => {
    const { greeter, held } = await bothSides({ rpcQueueLength: 2, rabbitQosPrefetchCount: 1 });
    const calls = [greeter.single('runs')];
    await held.hasBegun();
    calls.push(greeter.single('waits'), greeter.single('waits too'));
    const { error, after } = await failureOf(greeter.single('too many'));
    expect(error).toMatchObject({ code: 'Unavailable', details: { reason: 'overloaded', outcome: 'not executed' } });
    expect(after).toBeLessThan(1_000);
    for (let begun = 1; begun <= 3; begun += 1) {
      await held.hasBegun(begun);
      held.release();
    }
    await Promise.all(calls);
    expect(held.begun).toEqual(['runs', 'waits', 'waits too']);
  });

  test('leaves a registry with no more calls at a time than it takes', async () => {
    const { greeter, held } = await bothSides({ rabbitQosPrefetchCount: 2 });
    const calls = Array.from({ length: 7 }, (_, index) => greeter.repeatable(String(index)));
    for (let begun = 2; begun <= 8; begun += 2) {
      await held.hasBegun(Math.min(begun, 7));
      held.release();
    }
    await Promise.all(calls);
    expect(held.mostRunning).toBe(2);
  });
});

describe('a message that is no proper call', () => {
  /** What a registry replies to a message, or undefined if it answers a good call after it instead. */
  async function replyTo(settings: RabbitSettings, content: string, options: Options.Publish): Promise<unknown> {
    const url = testRabbit();
    const model: ChannelModel = await connect(url.href.replace('rabbit:', 'amqp:'));
    const channel = await model.createChannel();
    const reply = Promise.withResolvers<{ id: unknown; content: unknown }>();
    const replies = 'amq.rabbitmq.reply-to';
    await channel.consume(
      replies,
      (message) => {
        if (message) {
          reply.resolve({ id: message.properties.correlationId, content: JSON.parse(message.content.toString()) });
        }
      },
      { noAck: true },
    );
    const queue = `${settings.controlExchange}.greeter`;
    channel.sendToQueue(queue, Buffer.from(content), options);
    const good = { replyTo: replies, correlationId: 'good', type: 'greet' };
    channel.sendToQueue(queue, Buffer.from('{"args":["you"]}'), good);
    const first = await reply.promise;
    await model.close();
    return first.id === 'good' ? undefined : first.content;
  }

  const proper = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '1', type: 'greet' };

  test.each([
    ['no JSON', '\u0000rubbish', proper, 'Internal'],
    ['no arguments', '{}', proper, 'Internal'],
    ['JSON null', 'null', proper, 'Internal'],
    ['an unknown method', '{"args":[]}', { ...proper, type: 'dance' }, 'Unavailable'],
    ['a method of all objects', '{"args":[]}', { ...proper, type: 'hasOwnProperty' }, 'Unavailable'],
  ])('is answered with an error: %s', async (_what, content, options, code) => {
    const { settings, greeter } = await bothSides();
    expect(await replyTo(settings, content, options)).toMatchObject({ error: { code } });
    expect(await greeter.greet('you')).toBe('Hello you');
  });

  test.each([
    ['nobody to answer', { correlationId: '1', type: 'greet' }],
    ['no correlation', { replyTo: 'amq.rabbitmq.reply-to', type: 'greet' }],
    ['no method', { replyTo: 'amq.rabbitmq.reply-to', correlationId: '1' }],
    ['an address that does not exist', { ...proper, replyTo: 'amq.rabbitmq.reply-to.gone' }],
  ])('is dropped: %s', async (_what, options) => {
    const { settings, greeter } = await bothSides();
    expect(await replyTo(settings, '{"args":["you"]}', options)).toBeUndefined();
    expect(await greeter.greet('you')).toBe('Hello you');
  });
});

describe('several registries', () => {
  test('share the calls', async () => {
    const settings = testSettings({ rabbitQosPrefetchCount: 4 });
    const registries = [new HeldGreeter(), new HeldGreeter()];
    for (const registry of registries) await brokers.add(settings).serve(GREETER, registry);
    const greeter = remote(GREETER, brokers.add(settings));
    await Promise.all(Array.from({ length: 200 }, () => greeter.count()));
    expect(registries.map(({ counted }) => counted > 40)).toEqual([true, true]);
    expect(registries.reduce((sum, { counted }) => sum + counted, 0)).toBe(200);
  });

  test('are replaced one by one under load without a call that is lost or executed twice', async () => {
    const settings = testSettings();
    const registries: HeldGreeter[] = [];
    async function start() {
      const broker = brokers.add(settings);
      const registry = new HeldGreeter();
      registries.push(registry);
      await broker.serve(GREETER, registry);
      return broker;
    }
    let running = [await start(), await start()];
    const greeter = remote(GREETER, brokers.add(settings));
    let answered = 0;
    let stop = false;
    const load = Array.from({ length: 16 }, async () => {
      while (!stop) {
        await greeter.count();
        answered += 1;
      }
    });
    for (let round = 0; round < 6; round += 1) {
      const [oldest, ...others] = running;
      const before = answered;
      await vi.waitFor(() => expect(answered).toBeGreaterThan(before + 100), { timeout: 5_000 });
      await oldest!.close();
      running = [...others, await start()];
    }
    stop = true;
    await Promise.all(load);
    expect(registries.reduce((sum, { counted }) => sum + counted, 0)).toBe(answered);
  });

  test('finish what they are at when they stop', async () => {
    const settings = testSettings();
    const held = new HeldGreeter();
    const serving = brokers.add(settings);
    await serving.serve(GREETER, held);
    const greeter = remote(GREETER, brokers.add(settings));
    const call = greeter.single('last');
    await held.hasBegun();
    const closed = serving.close();
    await brokers.add(settings).serve(GREETER, new HeldGreeter());
    expect(await greeter.greet('you')).toBe('Hello you');
    held.release();
    expect(await call).toBe('greeter: last');
    await closed;
  });
});

test('closing fails the calls that wait', async () => {
  const settings = testSettings();
  const held = new HeldGreeter();
  await brokers.add(settings).serve(GREETER, held);
  const calling = brokers.add(settings);
  const failed = failureOf(remote(GREETER, calling).single('x'));
  await held.hasBegun();
  await calling.close();
  expect((await failed).error).toMatchObject({ code: 'Unavailable', details: { reason: 'stopping' } });
  await expect(remote(GREETER, calling).greet('you')).rejects.toMatchObject({ code: 'Unavailable' });
  held.release();
});

test.each([
  ['replicated queues', { rabbitQuorumQueue: true }],
  ['durable queues', { amqpDurableQueues: true }],
])('%s carry calls', async (_what, changes) => {
  const { greeter } = await bothSides(changes);
  expect(await greeter.greet('you')).toBe('Hello you');
});

test('a queue that was made with other options is used as it is', async () => {
  const { settings, greeter } = await bothSides();
  const other = new HeldGreeter();
  const broker = brokers.add({ ...settings, amqpDurableQueues: true });
  await broker.serve(GREETER, other);
  expect(broker.status().ready).toBe(true);
  await Promise.all(Array.from({ length: 200 }, () => greeter.count()));
  expect(other.counted).toBeGreaterThan(0);
});

test('memory stays flat over 20 000 calls', { timeout: 60_000 }, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { greeter } = await bothSides();
  async function calls(count: number): Promise<number> {
    for (let done = 0; done < count; done += 100) {
      await Promise.all(Array.from({ length: 100 }, () => greeter.greet('you')));
    }
    collect();
    return process.memoryUsage().heapUsed;
  }
  const before = await calls(5_000);
  const after = await calls(20_000);
  expect((after - before) / 1_048_576).toBeLessThan(2);
  const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout');
  expect(timers.length).toBeLessThan(100);
});
