import { randomUUID } from 'node:crypto';
import {
  type Caller,
  type DeletedImage,
  type Deletion,
  type Download,
  type DueWork,
  type Image,
  type ImageChange,
  type ImageLocation,
  type ImagePage,
  type ImageQuery,
  type Images,
  type ImageStatus,
  type IncomingUpload,
  type Lease,
  type LocationRenewal,
  type NewImage,
  ServiceError,
  type StoredData,
  type Upload,
  type Usage,
} from '@glance/domain';
import { Authorization, type Rights, type Rule } from '../authorization/authorization.js';
import { imageTarget, ownTarget, seenTarget } from '../authorization/target.js';
import type { RegistrySettings } from '../config.js';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { imageEvent, sendEvent } from '../notifications/events.js';
import { noOutbox, type Outbox } from '../notifications/outbox.js';
import { noQuotas } from '../quotas/project-quotas.js';
import { Deletions } from './deletions.js';
import { findImage, findLocked, findVisible } from './find-image.js';
import { checkVisibilityChange, ownerIsFixed, updatedImage, type UpdateParts } from './image-update.js';
import { listReadable } from './list-readable.js';
import { checkAttributes, checkId, checkProperty, checkPropertyQuota, checkTag, checkTagQuota } from './image-rules.js';
import { checkDefinedProperties } from '../metadefs/defined-properties.js';
import { insertImage, saveImage } from './image-writes.js';
import { Leases } from './leases.js';
import { renewLocations } from './renew-locations.js';
import { listDeleted, lockDeleted, restoreImage } from './restoration.js';
import { Uploads } from './uploads.js';

/** The contract `Images` on Glance's tables. Every change is one transaction. */
export class ImagesInDatabase implements Images {
  readonly #leases: Leases;
  readonly #uploads: Uploads;
  readonly #deletions: Deletions;

  constructor(
    readonly database: Database,
    readonly settings: RegistrySettings,
    readonly clock: () => number = Date.now,
    readonly outbox: Outbox = noOutbox,
    readonly authorization = new Authorization(),
    readonly quotas = noQuotas,
  ) {
    this.#leases = new Leases(settings.uploadLeaseTime * 1000, clock);
    this.#uploads = new Uploads(database, this.#leases, settings.imageSizeCap, outbox);
    this.#deletions = new Deletions(database, this.#leases, settings, outbox);
  }

  async create(caller: Caller, wanted: NewImage): Promise<Image> {
    const rights = await this.authorization.of(caller);
    const image = this.#newImage(caller, wanted);
    await rights.require('add_image', imageTarget(image));
    if (image.owner !== caller.projectId && !rights.isAdmin) throw ownerIsFixed();
    await checkVisibilityChange(rights, image, wanted);
    await this.authorization.properties.checkNew(rights, image);
    const allowance = await this.quotas.ofProject(image.owner);
    return this.database.transaction(async (tx) => {
      await allowance?.admit(tx, { images: 1 });
      await this.#checkDefined(tx, {}, image.properties);
      const created = await insertImage(tx, image, new Date(this.clock()));
      await this.#tell(tx, caller, 'image.create', created);
      return this.authorization.shown(rights, created);
    });
  }

  async show(caller: Caller, id: string): Promise<Image> {
    const rights = await this.authorization.of(caller);
    return this.authorization.shown(rights, await findVisible(this.database, rights, id));
  }

  async list(caller: Caller, query: ImageQuery): Promise<ImagePage> {
    const rights = await this.authorization.of(caller);
    await rights.require('get_images', ownTarget(caller));
    return { images: await listReadable(this.database, this.authorization, rights, query) };
  }

  async update(caller: Caller, id: string, changes: readonly ImageChange[]): Promise<Image> {
    const located = changes.some(({ kind }) => kind === 'locations');
    const allowance = located ? await this.quotas.ofImage(this.database, id) : undefined;
    return this.#change(caller, id, 'modify_image', async (tx, image, rights) => {
      if (changes.length === 0) return this.authorization.shown(rights, image);
      const after = await updatedImage(tx, image, changes, this.#updating(rights));
      const more = after.locations.length - image.locations.length;
      if (more > 0) await allowance?.admit(tx, { storage: (after.size ?? 0) * more });
      const saved = await this.#save(tx, caller, image, after);
      if (saved.status !== image.status) await this.#tell(tx, caller, 'image.activate', saved);
      return this.authorization.shown(rights, saved);
    });
  }

  checkUpdate(caller: Caller, id: string, changes: readonly ImageChange[]): Promise<void> {
    return this.#change(caller, id, 'modify_image', async (tx, image, rights) => {
      await updatedImage(tx, image, changes, this.#updating(rights));
    });
  }

  async locations(caller: Caller, id: string): Promise<readonly ImageLocation[]> {
    const rights = await this.authorization.of(caller);
    const image = await findVisible(this.database, rights, id);
    await rights.require('fetch_image_location', seenTarget(caller, image));
    return image.locations;
  }

  async addTag(caller: Caller, id: string, tag: string): Promise<void> {
    await this.#change(caller, id, 'modify_image', async (tx, image) => {
      checkTag(tag);
      if (image.tags.includes(tag)) return;
      checkTagQuota(image.tags.length + 1, this.settings);
      await this.#save(tx, caller, image, { ...image, tags: [...image.tags, tag] });
    });
  }

  async removeTag(caller: Caller, id: string, tag: string): Promise<void> {
    await this.#change(caller, id, 'modify_image', async (tx, image) => {
      if (!image.tags.includes(tag)) throw new ServiceError('NotFound', `The image has no tag "${tag}".`);
      await this.#save(tx, caller, image, { ...image, tags: image.tags.filter((other) => other !== tag) });
    });
  }

  deactivate(caller: Caller, id: string): Promise<void> {
    return this.#toggle(caller, id, 'deactivate', 'active', 'deactivated');
  }

  reactivate(caller: Caller, id: string): Promise<void> {
    return this.#toggle(caller, id, 'reactivate', 'deactivated', 'active');
  }

  async usage(caller: Caller): Promise<Usage> {
    return this.quotas.usage(this.database, caller.projectId);
  }

  async beginUpload(caller: Caller, id: string, upload: IncomingUpload): Promise<Upload> {
    const allowance = await this.quotas.ofImage(this.database, id);
    return this.#change(caller, id, 'upload_image', (tx, image) =>
      this.#uploads.begin(tx, image, upload, this.outbox.contextOf(caller), allowance),
    );
  }

  async renewLease(token: string, size?: number): Promise<Lease> {
    const renewed = await this.#leases.renew(this.database, token);
    if (size === undefined || !this.quotas.enforced) return renewed;
    const image = await this.#leases.imageOf(this.database, token);
    const allowance = image === undefined ? undefined : await this.quotas.ofImage(this.database, image);
    if (allowance) await this.#leases.reserve(this.database, token, size, allowance);
    return renewed;
  }

  finishUpload(token: string, data: StoredData): Promise<Image> {
    return this.#uploads.finish(token, data);
  }

  cancelUpload(token: string, reason?: string): Promise<void> {
    return this.#uploads.cancel(token, reason);
  }

  async checkStoresDetail(caller: Caller): Promise<void> {
    const rights = await this.authorization.of(caller);
    await rights.require('stores_info_detail', ownTarget(caller));
  }

  renewLocations(id: string, renewals: readonly LocationRenewal[]): Promise<void> {
    return this.database.transaction((tx) => renewLocations(tx, id, renewals));
  }

  async beginDownload(caller: Caller, id: string, { prefers = false } = {}): Promise<Download> {
    const rights = await this.authorization.of(caller);
    const image = await findVisible(this.database, rights, id);
    await rights.require('download_image', seenTarget(caller, image));
    if (prefers) await rights.require('download_from_store', seenTarget(caller, image));
    if (image.status === 'deactivated' && !rights.isAdmin) {
      throw new ServiceError('Forbidden', `The image ${id} is deactivated: its data cannot be downloaded.`);
    }
    return { image, locations: image.locations, ...(this.outbox.wants('image.send') && { report: true }) };
  }

  finishDownload(caller: Caller, id: string, sent: { bytes: number; of: number }): Promise<void> {
    return this.database.transaction(async (tx) => {
      const [image] = await tx.rows<{ id: string; owner: string | null }>('SELECT id, owner FROM images WHERE id = ?', [
        id,
      ]);
      if (image) await this.outbox.add(tx, this.outbox.contextOf(caller), sendEvent(caller, image, sent));
    });
  }

  beginDelete(caller: Caller, id: string): Promise<Deletion> {
    return this.#change(caller, id, 'delete_image', (tx, image) =>
      this.#deletions.begin(tx, image, this.outbox.contextOf(caller)),
    );
  }

  async listDeleted(caller: Caller, page: { limit: number; marker?: string }): Promise<readonly DeletedImage[]> {
    const rights = await this.authorization.of(caller);
    await rights.require('get_images', ownTarget(caller));
    const owner = rights.isAdmin ? {} : { owner: caller.projectId ?? '' };
    return listDeleted(this.database, { ...page, ...owner }, this.settings.scrubTime);
  }

  async restore(caller: Caller | null, id: string): Promise<Image> {
    const rights = caller && (await this.authorization.of(caller));
    const allowance = await this.quotas.ofImage(this.database, id);
    return this.database.transaction(async (tx) => {
      const { owner } = await lockDeleted(tx, id);
      if (rights) await requireOwn(rights, id, owner);
      const image = await restoreImage(tx, id, new Date(this.clock()));
      // It counts already: what is asked for is that this is no more than there may be.
      await allowance?.admit(tx, { images: 0, storage: 0 });
      await this.outbox.add(tx, caller && this.outbox.contextOf(caller), imageEvent('image.update', image));
      return rights ? this.authorization.shown(rights, image) : image;
    });
  }

  beginRemoveLocation(caller: Caller, id: string, which: number | string): Promise<Deletion> {
    const rule = typeof which === 'string' ? 'get_image_location' : 'modify_image';
    return this.#change(caller, id, rule, async (tx, image, rights) => {
      await rights.require('delete_image_location', seenTarget(caller, image));
      return this.#deletions.beginLocation(tx, image, which, this.outbox.contextOf(caller));
    });
  }

  finishDelete(token: string): Promise<void> {
    return this.#deletions.finish(token);
  }

  cancelDelete(token: string): Promise<void> {
    return this.#deletions.cancel(token);
  }

  async claimDue(limit: number, scope: 'abandoned' | 'all' = 'all'): Promise<readonly DueWork[]> {
    const work: DueWork[] = [];
    for (const lease of await this.#leases.takeOver(this.database, limit)) {
      const erases = lease.kind === 'delete' || lease.kind === 'location';
      work.push(erases ? await this.#deletions.resumed(lease) : this.#uploads.resumed(lease));
    }
    if (scope === 'all' && work.length < limit) work.push(...(await this.#deletions.delayed(limit - work.length)));
    return work;
  }

  #newImage(caller: Caller, { id = randomUUID(), properties = {}, tags = [], ...attributes }: NewImage): Image {
    checkId(id);
    checkAttributes(attributes);
    for (const [name, value] of Object.entries(properties)) {
      if (name === '') throw new ServiceError('Invalid', 'A property name must not be empty.');
      checkProperty(name, value);
    }
    tags.forEach(checkTag);
    const distinct = [...new Set(tags)];
    checkTagQuota(distinct.length, this.settings);
    checkPropertyQuota({}, properties, this.settings);
    return { ...blank, owner: caller.projectId, ...attributes, id, properties, tags: distinct };
  }

  #updating(rights: Rights): UpdateParts {
    const { settings, authorization } = this;
    return { rights, settings, authorization };
  }

  /** Runs `work` on an image that the rule lets the caller change, locked. */
  async #change<T>(
    caller: Caller,
    id: string,
    rule: Rule,
    work: (tx: Statements, image: Image, rights: Rights) => Promise<T>,
  ): Promise<T> {
    const rights = await this.authorization.of(caller);
    return this.database.transaction(async (tx) => {
      const image = await findLocked(tx, rights, id);
      await rights.require(rule, seenTarget(caller, image));
      return work(tx, image, rights);
    });
  }

  async #checkDefined(tx: Statements, before: Image['properties'], after: Image['properties']): Promise<void> {
    if (this.settings.checkDefinedProperties) await checkDefinedProperties(tx, before, after);
  }

  async #save(tx: Statements, caller: Caller, before: Image, after: Image): Promise<Image> {
    await saveImage(tx, before, after, new Date(this.clock()));
    const saved = (await findImage(tx, after.id))!;
    await this.#tell(tx, caller, 'image.update', saved);
    return saved;
  }

  #tell(tx: Statements, caller: Caller, type: string, image: Image): Promise<void> {
    return this.outbox.add(tx, this.outbox.contextOf(caller), imageEvent(type, image));
  }

  #toggle(caller: Caller, id: string, rule: Rule, from: ImageStatus, to: ImageStatus): Promise<void> {
    return this.#change(caller, id, rule, async (tx, image) => {
      if (image.status === to) return;
      if (image.status !== from) {
        throw new ServiceError(
          'Forbidden',
          `An image that is ${image.status} cannot become ${to}; it must be ${from}.`,
        );
      }
      await this.#save(tx, caller, image, { ...image, status: to });
    });
  }
}

/** Whoever may delete an image may have it back; to others a deleted one does not exist. */
async function requireOwn(rights: Rights, id: string, owner: string | null): Promise<void> {
  if (!rights.isAdmin && owner !== rights.caller.projectId) {
    throw new ServiceError('NotFound', `There is no deleted image ${id} whose data is still there.`);
  }
  await rights.require('delete_image', imageTarget({ ...blank, id, owner }));
}

const blank: Omit<Image, 'id'> = {
  name: null,
  owner: null,
  status: 'queued',
  visibility: 'shared',
  diskFormat: null,
  containerFormat: null,
  size: null,
  virtualSize: null,
  checksum: null,
  osHashAlgo: null,
  osHashValue: null,
  minDisk: 0,
  minRam: 0,
  protected: false,
  osHidden: false,
  properties: {},
  tags: [],
  locations: [],
  createdAt: '',
  updatedAt: '',
};
