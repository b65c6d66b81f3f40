import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LogFields, silentLogger } from '@glance/domain';
import { databaseKinds } from '../testing/database.js';
import { alice, TestRegistry } from '../testing/registry.js';
import type { Delivery } from './delivery.js';
import { oldest, Outbox, type OutboxRow } from './outbox.js';
import { RelayLease } from './relay-lease.js';
import { Relay, type RelayParts } from './relay.js';

/** Takes what it is given, unless it is told not to. */
class Inbox implements Delivery {
  readonly rows: OutboxRow[] = [];
  refusal: Error | undefined;
  attempts = 0;

  async deliver(row: OutboxRow): Promise<void> {
    this.attempts += 1;
    // Whatever is under way at the same time arrives in any order.
    await delay(Math.random() * 3);
    if (this.refusal) throw this.refusal;
    this.rows.push(row);
  }

  async close(): Promise<void> {}

  /** What it got, by image: the payloads' `n`. */
  get numbers(): Record<string, number[]> {
    const groups = Object.groupBy(this.rows, (row) => row.subject);
    const numberOf = (row: OutboxRow): number => (JSON.parse(row.payload) as { n: number }).n;
    return Object.fromEntries(Object.entries(groups).map(([id, rows]) => [id, rows!.map(numberOf)]));
  }
}

describe.each(databaseKinds)('the relay of notifications on $name', (kind) => {
  let registry: TestRegistry;
  const relays = new Set<Relay>();
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterEach(async () => {
    await Promise.all([...relays].map((relay) => relay.close()));
    relays.clear();
    await registry.empty();
  });
  afterAll(() => registry.close());

  const newOutbox = (): Outbox => new Outbox({ drivers: ['log'], disabled: [] });
  const start = (delivery: Delivery, parts: Partial<RelayParts> = {}): Relay => {
    const { database } = registry;
    const defaults = { database, outbox: newOutbox(), delivery, logger: silentLogger, retry: -1, interval: 20 };
    const relay = new Relay({ ...defaults, ...parts });
    relays.add(relay);
    return relay;
  };
  const write = (outbox: Outbox, subject: string, ...numbers: number[]): Promise<void> =>
    registry.database.transaction((tx) =>
      outbox.add(
        tx,
        null,
        ...numbers.map((n) => ({ type: 'image.update', priority: 'INFO', payload: { n }, subject }) as const),
      ),
    );
  const left = async (): Promise<number> => (await oldest(registry.database, 1000)).length;
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

  it('sends what is there, in the order of each image, and removes it', async () => {
    const inbox = new Inbox();
    const outbox = newOutbox();
    for (const n of upTo(60)) for (const id of ['a', 'b', 'c']) await write(outbox, id, n);
    start(inbox);
    await vi.waitFor(async () => expect(await left()).toBe(0), 20_000);
    expect(inbox.numbers).toEqual({ a: upTo(60), b: upTo(60), c: upTo(60) });
    expect(new Set(inbox.rows.map((row) => row.message_id)).size).toBe(180);
  });

  it('is woken by a commit of its own process, and does not wait for the next look', async () => {
    const inbox = new Inbox();
    const outbox = newOutbox();
    await new RelayLease(registry.database, 0).hold();
    start(inbox, { outbox, interval: 60_000 });
    await vi.waitFor(async () => {
      await write(outbox, 'a', 0);
      expect(inbox.rows.length).toBeGreaterThan(0);
    });
  });

  it('finds what other processes have written', async () => {
    const inbox = new Inbox();
    start(inbox);
    const images = registry.images({}, await registry.connectAgain(), newOutbox());
    const { id } = await images.create(alice, {});
    await vi.waitFor(() => expect(inbox.rows).toMatchObject([{ event_type: 'image.create', subject: id }]));
  });

  it('runs in one process at a time, and in another once that has stopped', async () => {
    const [first, second] = [new Inbox(), new Inbox()];
    const outbox = newOutbox();
    const relay = start(first);
    await write(outbox, 'a', 0);
    await vi.waitFor(() => expect(first.rows).toHaveLength(1));
    start(second, { database: await registry.connectAgain() });
    for (const n of upTo(20)) await write(outbox, 'a', n + 1);
    await vi.waitFor(() => expect(first.rows).toHaveLength(21));
    expect(second.rows).toEqual([]);
    await relay.close();
    await write(outbox, 'a', 21);
    await vi.waitFor(() => expect(second.numbers).toEqual({ a: [21] }));
    expect(first.numbers).toEqual({ a: upTo(21) });
  });

  it('is taken over from a process that died, and sends again what that did not remove', async () => {
    const died = Promise.withResolvers<void>();
    const first: OutboxRow[] = [];
    const second = new Inbox();
    const outbox = newOutbox();
    await write(outbox, 'a', 0, 1);
    start({ deliver: (row) => (first.push(row), died.promise), close: async () => {} }, { term: 400 });
    await vi.waitFor(() => expect(first).toHaveLength(1));
    const began = performance.now();
    start(second, { database: await registry.connectAgain() });
    await vi.waitFor(() => expect(second.numbers).toEqual({ a: [0, 1] }));
    expect(performance.now() - began).toBeGreaterThan(100);
    expect(second.rows[0]!.message_id).toBe(first[0]!.message_id);
    died.resolve();
    await vi.waitFor(async () => expect(await left()).toBe(0));
    expect(first).toHaveLength(1);
  });

  it('keeps what could not be sent, and sends nothing of the same image before it', async () => {
    const inbox = new Inbox();
    inbox.refusal = new Error('no broker');
    const warnings: (LogFields | undefined)[] = [];
    const logger = { ...silentLogger, warn: (_: string, fields?: LogFields) => void warnings.push(fields) };
    const outbox = newOutbox();
    await write(outbox, 'a', ...upTo(5));
    start(inbox, { logger });
    await vi.waitFor(() => expect(inbox.attempts).toBeGreaterThan(3));
    expect(await left()).toBe(5);
    expect(warnings).toEqual([{ error: inbox.refusal }]);
    inbox.refusal = undefined;
    await vi.waitFor(async () => expect(await left()).toBe(0));
    expect(inbox.numbers).toEqual({ a: upTo(5) });
  });

  it('leaves it to a process that reaches the broker', async () => {
    const [deaf, hearing] = [new Inbox(), new Inbox()];
    deaf.refusal = new Error('no broker');
    await write(newOutbox(), 'a', 0);
    start(deaf);
    await vi.waitFor(() => expect(deaf.attempts).toBeGreaterThan(0));
    start(hearing, { database: await registry.connectAgain() });
    await vi.waitFor(() => expect(hearing.rows).toHaveLength(1));
  });

  it('drops what has failed as often as it may, and says so', async () => {
    const inbox = new Inbox();
    inbox.refusal = new Error('no broker');
    const errors: (LogFields | undefined)[] = [];
    const logger = { ...silentLogger, error: (_: string, fields?: LogFields) => void errors.push(fields) };
    await write(newOutbox(), 'a', 0);
    start(inbox, { logger, retry: 2 });
    await vi.waitFor(async () => expect(await left()).toBe(0));
    expect(inbox.attempts).toBe(3);
    expect(errors).toEqual([{ dropped: 1 }]);
  });

  it('sends what is there when it is told to stop', async () => {
    const inbox = new Inbox();
    await new RelayLease(registry.database, 0).hold();
    await write(newOutbox(), 'a', ...upTo(250));
    await start(inbox, { interval: 60_000 }).close();
    expect(inbox.numbers).toEqual({ a: upTo(250) });
    expect(await left()).toBe(0);
  });
});
