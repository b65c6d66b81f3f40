import { describe, expect, it } from 'vitest';
import { IMAGES, type Images, MEMBERS, type Members } from '@glance/domain';
import { inProcess, remote } from '@glance/rpc';
import { connect } from './database/connect.js';
import { syncDatabase } from './database/schema.js';
import { startRegistry } from './start-registry.js';
import { databaseKinds } from './testing/database.js';
import { alice, registrySettings } from './testing/registry.js';

describe.each(databaseKinds)('a registry on $name', (kind) => {
  it('does not start on a database without its schema, and names the command', async () => {
    const place = await kind.create();
    const start = startRegistry({ database: place.settings, registry: registrySettings }, inProcess());
    await expect(start).rejects.toThrow('glance-manage db sync');
    const database = await connect(place.settings);
    expect(await database.writer.query(tables[database.dialect.name])).toEqual([]);
    await database.close();
    await place.drop();
  });

  it('answers both contracts on its broker', async () => {
    const place = await kind.create();
    const database = await connect(place.settings);
    await syncDatabase(database);
    await database.close();
    const broker = inProcess();
    const registry = await startRegistry({ database: place.settings, registry: registrySettings }, broker);
    const images: Images = remote(IMAGES, broker);
    const members: Members = remote(MEMBERS, broker);
    const { id } = await images.create(alice, { name: 'one' });
    await members.create(alice, id, 'bob');
    expect(await members.list(alice, id)).toMatchObject([{ imageId: id, memberId: 'bob', status: 'pending' }]);
    await registry.close();
    await place.drop();
  });
});

const tables = {
  sqlite: 'SELECT name FROM sqlite_master',
  mysql: 'SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()',
};
