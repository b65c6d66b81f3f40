import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, test } from 'vitest';
import { type Broker, inProcess, remote } from './broker.js';
import { contractServer } from './contract-server.js';
import { GREETER } from './testing/contract.js';
import { Ambiguous, GreeterModule, NamedGreeter, shutdowns } from './testing/greeter.module.js';
import { TestBrokers, testSettings } from './testing/rabbit.js';

Logger.overrideLogger(false);

const brokers = new TestBrokers();
afterEach(() => brokers.close());

const kinds: readonly [string, () => { readonly calling: Broker; readonly serving: Broker }][] = [
  [
    'in process',
    () => {
      const broker = inProcess();
      return { calling: broker, serving: broker };
    },
  ],
  [
    'over RabbitMQ',
    () => {
      const settings = testSettings();
      return { calling: brokers.add(settings), serving: brokers.add(settings) };
    },
  ],
];

describe.each(kinds)('a Nest application %s', (_kind, open) => {
  test('answers calls with the methods of its providers', async () => {
    const { calling, serving } = open();
    const application = await NestFactory.createMicroservice(GreeterModule, {
      ...contractServer(serving),
      logger: false,
    });
    await application.listen();
    const greeter = remote(GREETER, calling);
    expect(await greeter.greet('you')).toBe('Hello you');
    await expect(greeter.fail('known')).rejects.toMatchObject({ code: 'DataInUse' });
    await application.close();
  });

  test('closes what its providers need only after their last answer', async () => {
    const { calling, serving } = open();
    const application = await NestFactory.createMicroservice(GreeterModule, {
      ...contractServer(serving),
      logger: false,
    });
    await application.listen();
    const held = application.get(NamedGreeter);
    const call = remote(GREETER, calling).single('last');
    await held.hasBegun();
    shutdowns.length = 0;
    const closed = application.close();
    await once(AbortSignal.timeout(50), 'abort');
    expect(shutdowns).toEqual([]);
    held.release();
    expect(await call).toBe('injected: last');
    await closed;
    expect(shutdowns).toEqual(['closed with 0 calls running']);
    expect(serving.status().callsRunning).toBe(0);
  });
});

test('two providers for one contract do not start', async () => {
  const application = await NestFactory.createMicroservice(Ambiguous, {
    ...contractServer(inProcess()),
    logger: false,
  });
  await expect(application.listen()).rejects.toThrow(/"greeter".*Other and NamedGreeter/);
});
