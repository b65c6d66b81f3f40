import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CACHING, IMAGES, MEMBERS, METADEFS, SCRUBBING, TASKS } from '@glance/domain';
import type { Authorization } from './authorization/authorization.js';
import { CachingInDatabase } from './caching/caching-in-database.js';
import type { RegistrySettings } from './config.js';
import type { Database } from './database/database.js';
import { ImagesInDatabase } from './images/images-in-database.js';
import { TasksInDatabase } from './imports/tasks-in-database.js';
import { MembersInDatabase } from './members.js';
import { ScrubbingInDatabase } from './scrubbing/scrubbing-in-database.js';
import { MetadefsInDatabase } from './metadefs/metadefs-in-database.js';
import type { Outbox } from './notifications/outbox.js';
import type { ProjectQuotas } from './quotas/project-quotas.js';

const DATABASE = Symbol('database');

/** Provides each contract under its own name, and closes the database when the application is closed. */
@Module({})
export class RegistryModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  static with(
    settings: RegistrySettings,
    database: Database,
    outbox: Outbox,
    authorization: Authorization,
    quotas: ProjectQuotas,
  ): DynamicModule {
    const common = [database, settings, Date.now, outbox, authorization] as const;
    return {
      module: RegistryModule,
      providers: [
        { provide: DATABASE, useValue: database },
        { provide: IMAGES.name, useValue: new ImagesInDatabase(...common, quotas) },
        { provide: MEMBERS.name, useValue: new MembersInDatabase(...common) },
        { provide: TASKS.name, useValue: new TasksInDatabase(...common, quotas) },
        { provide: SCRUBBING.name, useValue: new ScrubbingInDatabase(...common) },
        { provide: CACHING.name, useValue: new CachingInDatabase(database, authorization) },
        {
          provide: METADEFS.name,
          useValue: new MetadefsInDatabase(database, Date.now, outbox, authorization),
        },
      ],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}
