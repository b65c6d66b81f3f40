import { afterEach, describe, expect, it, vi } from 'vitest';
import { databaseKinds } from '../testing/database.js';
import { connect } from './connect.js';
import { examineServer } from './examine-server.js';

describe.each(databaseKinds)('a look at the server of $name', (kind) => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('finds its clock and its text as they should be, or says what mends them', async () => {
    const place = await kind.create();
    const database = await connect(place.settings);
    const problems = () => Array.fromAsync(examineServer(database), ({ problem, remedy }) => ({ problem, remedy }));
    const isServer = database.dialect.name === 'mysql';
    expect(await problems()).toEqual(isServer ? [{}, {}] : []);
    if (isServer) {
      await database.writer.query('CREATE TABLE old (name VARCHAR(9)) CHARACTER SET latin1');
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
      expect(await problems()).toEqual([
        { problem: expect.stringMatching(/(59|60|61) seconds ahead/) as string, remedy: 'chronyc makestep' },
        {
          problem: expect.stringMatching(/: old$/) as string,
          remedy: 'ALTER TABLE old CONVERT TO CHARACTER SET utf8mb4;',
        },
      ]);
    }
    await database.close();
    await place.drop();
  });
});
