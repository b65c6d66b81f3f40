import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds, databaseSettings, type TestDatabase } from '../testing/database.js';
import { type Proxy, proxyTo } from '../testing/proxy.js';
import { TestRegistry } from '../testing/registry.js';
import { connect } from './connect.js';
import type { Database } from './database.js';

const mysql = databaseKinds.find(({ name }) => name === 'MariaDB')!;

describe.each(databaseKinds)('the database on $name', (kind) => {
  let registry: TestRegistry;
  let database: Database;
  let other: Database;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    ({ database } = registry);
    other = await registry.connectAgain();
    await database.writer.query('CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER)');
  });
  afterAll(() => registry.close());

  const count = async (from = database): Promise<number | undefined> =>
    (await from.rows<{ n: number }>('SELECT n FROM counters WHERE id = 1'))[0]?.n;
  const reset = async (): Promise<void> => {
    await database.run('DELETE FROM counters');
    await database.run('INSERT INTO counters (id, n) VALUES (1, 0)');
  };

  it('shows to others what a transaction did when it is over, and nothing of one that failed', async () => {
    await reset();
    await database.transaction(async (tx) => {
      await tx.run('UPDATE counters SET n = 1');
      expect(await count()).toBe(0);
      expect(await count(other)).toBe(0);
    });
    expect(await count(other)).toBe(1);
    const failed = database.transaction(async (tx) => {
      await tx.run('UPDATE counters SET n = 2');
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await count()).toBe(1);
  });

  it('loses no update of transactions that want the same row, through one connection or two', async () => {
    await reset();
    const increment = (on: Database): Promise<void> =>
      on.transaction(async (tx) => {
        const [row] = await tx.rows<{ n: number }>(`SELECT n FROM counters WHERE id = 1${tx.dialect.forUpdate}`);
        await tx.run('UPDATE counters SET n = ? WHERE id = 1', [row!.n + 1]);
      });
    await Promise.all(Array.from({ length: 40 }, (_, i) => increment(i % 2 ? database : other)));
    expect(await count()).toBe(40);
  });

  it('repeats a transaction that lost a deadlock', async () => {
    await reset();
    await database.run('INSERT INTO counters (id, n) VALUES (2, 0)');
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    const both = async (on: Database, order: number[], mine: typeof first, theirs: typeof first): Promise<void> => {
      let attempt = 0;
      await on.transaction(async (tx) => {
        const repeated = attempt++ > 0;
        await tx.run('UPDATE counters SET n = n + 1 WHERE id = ?', [order[0]!]);
        mine.resolve();
        // Where writers exclude each other there is nobody to wait for.
        if (!repeated && tx.dialect.name === 'mysql') await theirs.promise;
        await tx.run('UPDATE counters SET n = n + 1 WHERE id = ?', [order[1]!]);
      });
    };
    await Promise.all([both(database, [1, 2], first, second), both(other, [2, 1], second, first)]);
    expect(await database.rows('SELECT id, n FROM counters ORDER BY id')).toEqual([
      { id: 1, n: 2 },
      { id: 2, n: 2 },
    ]);
  });

  it('says in an error neither the statement nor its values', async () => {
    const failing = database.run('INSERT INTO counters (id, nonsense) VALUES (?, ?)', [3, 'file://secret']);
    const error: unknown = await failing.catch((reason: unknown) => reason);
    expect(JSON.stringify(error) + String(error) + JSON.stringify(Object(error))).not.toContain('secret');
  });
});

describe('an in-memory database', () => {
  it('keeps reads out of transactions as well', async () => {
    const database = await connect(databaseSettings('sqlite://'));
    await database.writer.query('CREATE TABLE t (n INTEGER)');
    const seen: Promise<unknown[]>[] = [];
    await database.transaction(async (tx) => {
      await tx.run('INSERT INTO t VALUES (1)');
      seen.push(database.rows('SELECT * FROM t'));
      await tx.run('DELETE FROM t');
    });
    expect(await seen[0]).toEqual([]);
    await database.close();
  });
});

describe('a database that takes no changes', () => {
  it('is Unavailable for them, and can be read', async () => {
    const database = await connect(databaseSettings('sqlite://'));
    await database.writer.query('CREATE TABLE t (n INTEGER)');
    await database.writer.query('PRAGMA query_only = ON');
    await expect(database.run('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ code: 'Unavailable' });
    expect(await database.rows('SELECT * FROM t')).toEqual([]);
    await database.close();
  });
});

describe('a database server that is away', () => {
  const listen = async (server: Server): Promise<number> => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as { port: number }).port;
  };

  it('is Unavailable when it refuses connections or hangs up', async () => {
    const server = createServer((socket) => socket.destroy());
    const port = await listen(server);
    const settings = databaseSettings(`mysql://u:p@127.0.0.1:${port}/glance`);
    await expect(connect(settings)).rejects.toMatchObject({ code: 'Unavailable' });
    server.close();
    await once(server, 'close');
    await expect(connect(settings)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('is tried again as often as the settings say', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    const port = await listen(server);
    const settings = { ...databaseSettings(`mysql://u:p@127.0.0.1:${port}/glance`), maxRetries: 2 };
    await expect(connect(settings)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(connections).toBe(3);
    server.close();
  });

  it('is not tried again when it refuses the account, and says so', async () => {
    const place = await mysql.create();
    const connection = place.settings.connection!.replace(/:[^:@/]*@/, ':wrong@');
    const error: unknown = await connect({ ...place.settings, connection, maxRetries: -1 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'Invalid', message: expect.stringContaining('Access denied') as string });
    await place.drop();
  });

  describe('for a while', () => {
    let place: TestDatabase;
    let proxy: Proxy;
    let database: Database;
    beforeAll(async () => {
      place = await mysql.create();
      proxy = await proxyTo(place.settings.connection!);
      database = await connect({ ...place.settings, connection: proxy.url });
      await database.writer.query('CREATE TABLE t (n INTEGER)');
    });
    afterAll(async () => {
      await database.close();
      proxy.close();
      await place.drop();
    });

    it('is Unavailable while it is cut off, and back as soon as it is', async () => {
      const busy = Array.from({ length: 5 }, () => database.rows('SELECT SLEEP(30)'));
      await Promise.race([...busy, database.rows('SELECT SLEEP(0.2)')]);
      proxy.cut();
      for (const read of busy) await expect(read).rejects.toMatchObject({ code: 'Unavailable' });
      await expect(database.run('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ code: 'Unavailable' });
      proxy.repair();
      await Promise.all(Array.from({ length: 20 }, () => database.run('INSERT INTO t VALUES (2)')));
      expect(await database.rows('SELECT * FROM t WHERE n = 2')).toHaveLength(20);
    });

    it('is asked again when a connection breaks before the commit', async () => {
      proxy.loseAnswerTo('VALUES (3)');
      let tries = 0;
      await database.transaction(async (tx) => {
        if (++tries === 2) proxy.repair();
        await tx.run('INSERT INTO t VALUES (3)');
      });
      expect(tries).toBe(2);
      expect(await database.rows('SELECT * FROM t WHERE n = 3')).toHaveLength(1);
    });

    it('is not asked again when a connection breaks in the commit, for it may have succeeded', async () => {
      proxy.loseAnswerTo('COMMIT');
      let tries = 0;
      const work = database.transaction(async (tx) => {
        tries++;
        await tx.run('INSERT INTO t VALUES (4)');
      });
      await expect(work).rejects.toMatchObject({ code: 'Unavailable' });
      proxy.repair();
      expect(tries).toBe(1);
      expect(await database.rows('SELECT * FROM t WHERE n = 4')).toHaveLength(1);
    });
  });
});
