import type { Caller, Image, Images, NewImage, StoredData } from '@glance/domain';
import type { RegistrySettings } from '../config.js';
import { CachingInDatabase } from '../caching/caching-in-database.js';
import { connect } from '../database/connect.js';
import type { Database } from '../database/database.js';
import type { LocationCipher } from '../database/location-cipher.js';
import { syncDatabase } from '../database/schema.js';
import { ImagesInDatabase } from '../images/images-in-database.js';
import { TasksInDatabase } from '../imports/tasks-in-database.js';
import { MembersInDatabase } from '../members.js';
import { noOutbox } from '../notifications/outbox.js';
import { ScrubbingInDatabase } from '../scrubbing/scrubbing-in-database.js';
import type { DatabaseKind } from './database.js';

export const registrySettings: RegistrySettings = {
  imagePropertyQuota: 128,
  imageTagQuota: 128,
  imageLocationQuota: 10,
  imageMemberQuota: 128,
  imageSizeCap: 1_099_511_627_776,
  delayedDelete: false,
  scrubTime: 0,
  metadataEncryptionKey: undefined,
  checkDefinedProperties: false,
  uploadLeaseTime: 60,
  taskTimeToLive: 48,
  taskLeaseTime: 20,
  tasksPerProject: 8,
};

/** A member of `project`; `roles` replace those of an ordinary one. */
export function callerOf(project: string | null, roles: readonly string[] = ['member', 'reader']): Caller {
  return { requestId: 'req-test', userId: 'someone', projectId: project, roles, serviceRoles: [] };
}

export const admin = callerOf('admins', ['admin', 'member', 'reader']);
export const alice = callerOf('alice');
export const bob = callerOf('bob');

/** A registry on an empty database, at a time that stands still until it is moved. */
export class TestRegistry {
  now = Date.parse('2026-03-04T05:06:07.890Z');
  readonly #databases: Database[] = [];

  private constructor(
    readonly place: Awaited<ReturnType<DatabaseKind['create']>>,
    readonly database: Database,
  ) {
    this.#databases.push(database);
  }

  static async on(kind: DatabaseKind): Promise<TestRegistry> {
    const place = await kind.create();
    const database = await connect(place.settings);
    await syncDatabase(database);
    return new TestRegistry(place, database);
  }

  images(settings: Partial<RegistrySettings> = {}, database = this.database, outbox = noOutbox): Images {
    return new ImagesInDatabase(database, { ...registrySettings, ...settings }, () => this.now, outbox);
  }

  tasks(settings: Partial<RegistrySettings> = {}, outbox = noOutbox, database = this.database): TasksInDatabase {
    return new TasksInDatabase(database, { ...registrySettings, ...settings }, () => this.now, outbox);
  }

  members(settings: Partial<RegistrySettings> = {}, outbox = noOutbox): MembersInDatabase {
    return new MembersInDatabase(this.database, { ...registrySettings, ...settings }, () => this.now, outbox);
  }

  scrubbing(settings: Partial<RegistrySettings> = {}, database = this.database): ScrubbingInDatabase {
    return new ScrubbingInDatabase(database, { ...registrySettings, ...settings }, () => this.now);
  }

  caching(): CachingInDatabase {
    return new CachingInDatabase(this.database);
  }

  /** As another process would. */
  async connectAgain(cipher?: LocationCipher): Promise<Database> {
    const database = await connect(this.place.settings, cipher);
    this.#databases.push(database);
    return database;
  }

  pass(seconds: number): void {
    this.now += seconds * 1000;
  }

  /** An image of alice's that is active. */
  async active(image: NewImage = {}, settings: Partial<RegistrySettings> = {}): Promise<Image> {
    const images = this.images(settings);
    const { id } = await images.create(admin, { owner: 'alice', ...formats, ...image });
    const { lease } = await images.beginUpload(admin, id, { store: 'file', size: null });
    return images.finishUpload(lease.token, stored(id));
  }

  /** Takes all images away, with what belongs to them. */
  async empty(): Promise<void> {
    const own = ['notification_outbox', 'notification_relay', 'image_leases', 'import_tasks', 'staged_data'];
    const tables = [
      ...own,
      'cached_images',
      'node_reference',
      'import_hosts',
      'delayed_deletions',
      'scrubber_runs',
      'task_info',
      'tasks',
      'image_properties',
      'image_tags',
      'image_locations',
      'image_members',
      'images',
    ];
    for (const table of tables) await this.database.run(`DELETE FROM ${table}`);
  }

  async close(): Promise<void> {
    for (const database of this.#databases) await database.close();
    await this.place.drop();
  }
}

export const formats = { diskFormat: 'raw', containerFormat: 'bare' } as const;

/** What a store reports of the data of image `id`. */
export function stored(id: string): StoredData {
  return {
    size: 5,
    virtualSize: 512,
    checksum: '0123456789abcdef0123456789abcdef',
    osHashAlgo: 'sha512',
    osHashValue: 'ab'.repeat(64),
    location: { url: `file:///var/lib/images/${id}`, metadata: { store: 'file' } },
  };
}
