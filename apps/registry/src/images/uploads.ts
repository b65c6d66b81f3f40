import {
  type DueWork,
  type Image,
  type IncomingUpload,
  type Lease,
  ServiceError,
  type StoredData,
  type Upload,
} from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { imageEvent, prepareEvent, uploadEvent, uploadFailedEvent } from '../notifications/events.js';
import type { Outbox } from '../notifications/outbox.js';
import type { Allowance } from '../quotas/project-quotas.js';
import { importLock, saveMarked, stageHost, without } from '../imports/import-marks.js';
import { findImage } from './find-image.js';
import { insertLocations, saveImage } from './image-writes.js';
import { assertNoOrphan, leaseLost, type LeaseRow, type Leases } from './leases.js';

/** Moves an image from queued over saving to active, or back. */
export class Uploads {
  constructor(
    readonly database: Database,
    readonly leases: Leases,
    /** Bytes. */
    readonly sizeCap: number,
    readonly outbox: Outbox,
  ) {}

  /** `image` is locked, and the caller, whom `context` names, may upload to it. */
  async begin(
    tx: Statements,
    image: Image,
    { store, size, named }: IncomingUpload,
    context: string | null,
    allowance?: Allowance,
  ): Promise<Upload> {
    if (image.status !== 'queued') {
      throw new ServiceError('Conflict', `Data can be uploaded to a queued image; this one is ${image.status}.`);
    }
    if (image.diskFormat === null || image.containerFormat === null) {
      throw new ServiceError(
        'Invalid',
        'The disk and container formats of an image must be set before its data is uploaded.',
      );
    }
    if (size !== null && size > this.sizeCap) {
      throw new ServiceError('LimitExceeded', `An image may have ${this.sizeCap} bytes, not ${size}.`);
    }
    await assertNoOrphan(tx, image.id, this.leases.clock());
    await allowance?.admit(tx, { uploading: 1, storage: size ?? 0 });
    const room = size === null && allowance ? await allowance.room(tx, 'storage') : Infinity;
    const lease: Lease = await this.leases.grant(tx, {
      image_id: image.id,
      kind: 'upload',
      store,
      previous_status: null,
      context,
      reserved: allowance ? size : null,
    });
    const saving = await this.#move(tx, image, { status: 'saving' });
    await this.outbox.add(
      tx,
      context,
      imageEvent('image.update', saving),
      prepareEvent(saving, named ? store : undefined),
    );
    return { lease, image: saving, maxSize: Math.min(this.sizeCap, room) };
  }

  finish(token: string, { location, ...facts }: StoredData): Promise<Image> {
    return this.leases.locked(this.database, token, async (tx, lease) => {
      const image = lease?.kind === 'upload' ? await findImage(tx, lease.image_id) : undefined;
      if (!lease || !image || lease.outcome === 'cancelled') throw leaseLost();
      if (lease.outcome === 'finished') return repeated(image, location.url);
      if (image.status !== 'saving') throw leaseLost();
      const time = this.#time(tx);
      await insertLocations(tx, image.id, [location], time);
      await this.leases.settle(tx, token, 'finished');
      const active = await this.#move(tx, image, { ...facts, status: 'active' });
      const events = [imageEvent('image.activate', active), imageEvent('image.update', active)];
      await this.outbox.add(tx, lease.context, uploadEvent(active), ...events);
      return active;
    });
  }

  cancel(token: string, reason = 'it was interrupted.'): Promise<void> {
    return this.leases.locked(this.database, token, async (tx, lease) => {
      if ((lease?.kind !== 'upload' && lease?.kind !== 'stage') || lease.outcome !== null) return;
      await this.leases.drop(tx, token);
      if (lease.kind === 'stage') await tx.run('UPDATE staged_data SET abandoned = 1 WHERE name = ?', [lease.store]);
      await this.outbox.add(tx, lease.context, uploadFailedEvent(lease.image_id, reason));
      const image = await findImage(tx, lease.image_id);
      if (image?.status !== (lease.previous_status ?? (lease.kind === 'stage' ? 'uploading' : 'saving'))) return;
      const properties = without(image.properties, stageHost, importLock);
      const empty = { status: 'queued', size: null, virtualSize: null, properties } as const;
      const queued = await saveMarked(tx, image, { ...image, ...empty }, new Date(this.leases.clock()));
      await this.outbox.add(tx, lease.context, imageEvent('image.update', queued));
    });
  }

  /** Work of a lease that ran out. */
  resumed({ token, kind, image_id: imageId, store }: LeaseRow): DueWork {
    const lease = { token, expiresIn: this.leases.term };
    // Whoever reaches the staging area discards what lies there.
    return kind === 'stage' ? { kind, imageId, lease } : { kind: 'upload', imageId, store: store ?? '', lease };
  }

  async #move(tx: Statements, image: Image, change: Partial<Image>): Promise<Image> {
    await saveImage(tx, image, { ...image, ...change }, new Date(this.leases.clock()));
    return (await findImage(tx, image.id))!;
  }

  #time(tx: Statements): string {
    return tx.dialect.time(new Date(this.leases.clock()));
  }
}

function repeated(image: Image, url: string): Image {
  if (image.locations.some((location) => location.url === url)) return image;
  throw new ServiceError('Conflict', 'This upload was finished with another location.');
}
