import type { Finding } from '@glance/domain';
import type { Database } from './database.js';

/** Seconds that clocks may differ. */
const skew = 5;

/** What a database server has to be besides reachable; nothing of SQLite. */
export async function* examineServer(database: Database): AsyncIterable<Finding> {
  if (database.dialect.name === 'sqlite') return;
  const [time] = await database.rows<{ now: number | string }>('SELECT UNIX_TIMESTAMP(NOW(3)) AS now');
  const ahead = Math.round(Date.now() / 1000 - Number(time!.now));
  yield {
    fact: 'the clock is that of the database',
    ...(Math.abs(ahead) > skew && {
      problem: `the clock is ${ahead} seconds ahead of that of the database: leases of other hosts end too early or too late`,
      remedy: 'chronyc makestep',
    }),
  };
  const tables = await database.rows<{ name: string }>(
    'SELECT table_name AS name FROM information_schema.tables ' +
      "WHERE table_schema = DATABASE() AND table_collation NOT LIKE 'utf8%' ORDER BY table_name",
  );
  yield {
    fact: 'its text is UTF-8',
    ...(tables.length > 0 && {
      problem: `tables are not in UTF-8, so names of images may not fit: ${tables.map(({ name }) => name).join(', ')}`,
      remedy: tables.map(({ name }) => `ALTER TABLE ${name} CONVERT TO CHARACTER SET utf8mb4;`).join('\n'),
    }),
  };
}
