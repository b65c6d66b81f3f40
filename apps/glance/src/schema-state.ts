import type { Config } from '@glance/config';
import { databaseOptions, manage } from '@glance/registry';

/** What the configured database needs: see `manage.checkDatabase`. Fails if it cannot be reached. */
export async function schemaState(config: Config): ReturnType<typeof manage.checkDatabase> {
  const database = await manage.connect(config.read(databaseOptions));
  try {
    return await manage.checkDatabase(database);
  } finally {
    await database.close();
  }
}
