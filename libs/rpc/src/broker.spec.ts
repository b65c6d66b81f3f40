import { type LogFields, type Logger, silentLogger } from '@glance/domain';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Broker, inProcess, remote } from './broker.js';
import { GREETER, type Greeter, HeldGreeter } from './testing/contract.js';
import { TestBrokers, testSettings } from './testing/rabbit.js';

class ErrorLog implements Logger {
  readonly errors: LogFields[] = [];
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(_message: string, fields: LogFields = {}): void {
    this.errors.push(fields);
  }
}

interface Sides {
  readonly calling: Broker;
  readonly serving: Broker;
}

const kinds: readonly [string, (brokers: TestBrokers, logger: Logger) => Sides][] = [
  [
    'in process',
    (_brokers, logger) => {
      const broker = inProcess(logger);
      return { calling: broker, serving: broker };
    },
  ],
  [
    'over RabbitMQ',
    (brokers, logger) => {
      const settings = testSettings({ rpcOutageGrace: 1 });
      return { calling: brokers.add(settings, silentLogger), serving: brokers.add(settings, logger) };
    },
  ],
];

describe.each(kinds)('a contract %s', (_kind, open) => {
  const brokers = new TestBrokers();
  let log: ErrorLog;
  let sides: Sides;

  beforeEach(() => {
    log = new ErrorLog();
    sides = open(brokers, log);
  });
  afterEach(() => brokers.close());

  async function servedGreeter(): Promise<Greeter> {
    await sides.serving.serve(GREETER, new HeldGreeter());
    return remote(GREETER, sides.calling);
  }

  test('is called like the object that implements it', async () => {
    expect(await (await servedGreeter()).greet('Wörld')).toBe('Hello Wörld');
  });

  test.each([[null], [''], ['ü\u0000😀'], [0.1], [false], [[1, [2, {}]]], [{ a: { 'b.c': [null, -1] } }]])(
    'carries %j there and back',
    async (value) => {
      expect(await (await servedGreeter()).echo(value)).toEqual(value);
    },
  );

  test('leaves arguments that are undefined at the end to their defaults', async () => {
    const greeter: Greeter = { ...remote(GREETER, sides.calling), echo: async (value = 'default') => value };
    await sides.serving.serve(GREETER, greeter);
    expect(await remote(GREETER, sides.calling).echo(undefined)).toBe('default');
  });

  test('carries a megabyte there and back', async () => {
    const text = 'é'.repeat(500_000);
    expect(await (await servedGreeter()).echo(text)).toBe(text);
  });

  test('answers nothing with undefined', async () => {
    const greeter = await servedGreeter();
    await expect(greeter.nothing()).resolves.toBeUndefined();
  });

  test('fails with the code, message and details of the error', async () => {
    await expect((await servedGreeter()).fail('known')).rejects.toMatchObject({
      name: 'ServiceError',
      code: 'DataInUse',
      message: 'Busy.',
      details: { watchers: 2, store: 'ceph', ok: false, x: null },
    });
  });

  test('logs an unknown error where it happened, and tells the caller nothing of it', async () => {
    const greeter = await servedGreeter();
    const failure = await greeter.fail('unknown').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'Internal', details: {} });
    expect(String(failure)).not.toContain('hunter2');
    expect(log.errors).toMatchObject([
      { contract: 'greeter', method: 'fail', error: new RangeError('secret=hunter2') },
    ]);
  });

  test('logs the id of the request that an unknown error belongs to', async () => {
    await servedGreeter();
    const caller = { requestId: 'req-1' };
    await expect(sides.calling.call(GREETER, 'fail', [caller])).rejects.toMatchObject({ code: 'Internal' });
    expect(log.errors).toMatchObject([{ requestId: 'req-1' }]);
  });

  test.each(['missing', 'constructor', '__proto__', 'toString'])('refuses the method "%s"', async (method) => {
    await servedGreeter();
    const skewed = { name: 'greeter', methods: Object.fromEntries([[method, { timeout: 5_000, idempotent: true }]]) };
    await expect(sides.calling.call(skewed, method, [])).rejects.toMatchObject({ code: 'Unavailable' });
    expect(log.errors).toEqual([]);
  });

  test('keeps concurrent calls apart', async () => {
    const greeter = await servedGreeter();
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    expect(await Promise.all(numbers.map((number) => greeter.echo(number)))).toEqual(numbers);
  });

  test('is unavailable while nobody serves it', async () => {
    await expect(remote(GREETER, sides.calling).greet('you')).rejects.toMatchObject({ code: 'Unavailable' });
  });

  test('counts the calls that are under way', async () => {
    const held = new HeldGreeter();
    await sides.serving.serve(GREETER, held);
    const calls = ['a', 'b'].map((label) => remote(GREETER, sides.calling).repeatable(label));
    await held.hasBegun(2);
    expect(sides.calling.status()).toMatchObject({ ready: true, callsInFlight: 2 });
    expect(sides.serving.status()).toMatchObject({ ready: true, callsRunning: 2 });
    held.release();
    await Promise.all(calls);
    expect(sides.calling.status().callsInFlight).toBe(0);
  });
});
