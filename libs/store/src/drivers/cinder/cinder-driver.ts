import { isServiceError, ServiceError } from '@glance/domain';
import { abortable } from '../../abortable.js';
import type { Bytes } from '../../bytes.js';
import { assertWanted, cancellation } from '../../cancellation.js';
import type { ReadOptions, StoreDriver, WriteOptions } from '../../driver.js';
import { type Holding, together } from '../../holding.js';
import { assertUsableName, imageName, isUsableName } from '../../image-id.js';
import { SegmentSource } from '../../segment-source.js';
import { dataArrives, dataExists, discarded, ignoringMissing, storeError, withLeftovers } from '../../store-error.js';
import { Uploads } from '../../uploads.js';
import { Attachments, type AttachmentSettings } from './attachments.js';
import { CinderClient, type CinderClientSettings } from './cinder-client.js';
import { cinderLocation, cinderUrl } from './cinder-location.js';
import { VolumeType } from './volume-type.js';
import { orDiscarded, type Volume, Volumes } from './volumes.js';

export interface CinderDriverSettings extends AttachmentSettings {
  readonly cinder: CinderClientSettings;
  /** The id of the store, where there are several. */
  readonly backend: string | undefined;
  /** Name or id of the type of new volumes. */
  readonly volumeType: string | undefined;
  /** Milliseconds that a volume may take from one state to the next. */
  readonly transitionTime: number;
  /** Volumes are extended while they are attached. */
  readonly extendAttached: boolean;
}

const gib = 1024 ** 3;
/** Milliseconds that may go into tidying up what was stopped. */
const tidyTime = 300_000;

/**
 * Images as volumes `image-<id>` of a project, whose metadata say which image it is (`glance_image_id`), whose it is
 * (`image_owner`) and, once it is complete, how many bytes it has (`image_size`). Cinder lets several volumes have one name:
 * of several writers the first by its clock wins, and the others delete their volumes.
 */
export class CinderDriver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #settings: CinderDriverSettings;
  readonly #client: CinderClient;
  readonly #type: VolumeType;
  readonly #volumes: Volumes;
  readonly #attachments: Attachments;
  readonly #uploads = new Uploads();

  constructor(settings: CinderDriverSettings) {
    this.#settings = settings;
    this.#client = new CinderClient(settings.cinder);
    this.#type = new VolumeType(this.#client, settings.volumeType);
    this.#volumes = new Volumes(this.#client, settings.transitionTime, () => this.#type.name());
    this.#attachments = new Attachments(this.#client, settings);
  }

  async open(): Promise<void> {
    await this.#type.check();
  }

  async write(id: string, source: Bytes, options: WriteOptions): Promise<string> {
    assertUsableName(id);
    assertWanted(options.signal);
    let volume: string | undefined;
    await this.#uploads.run(id, source, options.signal, async (data, signal) => {
      volume = await this.#store(id, data, { ...options, signal });
    });
    return cinderUrl(volume!, this.#settings.backend);
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const { id, size } = await this.#at(url, signal);
    const end = Math.min(size, offset + (length ?? size));
    return { size, data: this.#read(id, offset, end, signal) };
  }

  async size(url: string, signal: AbortSignal): Promise<number> {
    return (await this.#at(url, signal)).size;
  }

  async delete(url: string, signal: AbortSignal): Promise<void> {
    const { id } = await this.#at(url, signal);
    await this.#volumes.delete(id, signal);
  }

  /** In the form that this store writes, so that one volume has one location. */
  accepts(url: string): boolean {
    return this.canonical(url) !== undefined;
  }

  /** Which of several stores a volume of single-store days is in, only Cinder knows. */
  canonical(url: string): string | undefined {
    try {
      return cinderLocation(url).store === this.#settings.backend ? url : undefined;
    } catch {
      return undefined;
    }
  }

  async discard(id: string, signal: AbortSignal): Promise<void> {
    if (!isUsableName(id)) return;
    await this.#uploads.stop(id);
    for (const volume of await this.#of(id, signal)) await ignoringMissing(this.#erase(volume.id, signal));
  }

  async *ids(signal: AbortSignal): AsyncIterable<string> {
    for await (const { name, metadata } of this.#volumes.list(signal)) {
      const id = /^image-(.*)$/.exec(name ?? '')?.[1] ?? '';
      if (imageName.test(id) && metadata['glance_image_id'] === id) yield id;
    }
  }

  async holding(id: string, signal: AbortSignal): Promise<Holding | undefined> {
    return together(
      (await this.#of(id, signal)).map((volume) => ({
        objects: 1,
        bytes: bytesOf(volume),
        // Cinder does not say that it is UTC.
        modified: Date.parse(`${(volume.updated_at ?? volume.created_at).replace(/Z$/, '')}Z`),
      })),
    );
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #at(url: string, signal: AbortSignal): Promise<{ id: string; size: number }> {
    const volume = await this.#volumes.get(cinderLocation(url).volume, signal);
    // Cinder lets an administrator see every volume: only those that were made to be images are read.
    if (volume.metadata['glance_image_id'] === undefined) {
      throw new ServiceError('BadLocation', 'The location is that of a volume which is no image.');
    }
    return { id: volume.id, size: bytesOf(volume) };
  }

  async *#read(volume: string, start: number, end: number, signal: AbortSignal): Bytes {
    if (start >= end) return;
    const device = await this.#attachments.borrow(volume, signal);
    try {
      yield* device.read(start, end, signal);
    } catch (error) {
      throw signal.aborted ? cancellation(signal) : storeError(error);
    } finally {
      await this.#attachments.giveBack(volume);
    }
  }

  /** Answers with the id of the volume. */
  async #store(id: string, data: Bytes, { size, owner, signal }: WriteOptions): Promise<string> {
    const metadata = { glance_image_id: id, ...(owner !== undefined && { image_owner: owner }) };
    const facts = { name: nameOf(id), size: Math.max(1, Math.ceil((size ?? 0) / gib)), metadata };
    const volume = await this.#volumes.create(facts, this.#settings.volumeType, signal).catch((error: unknown) => {
      throw isServiceError(error, 'DataInUse') ? badRequest(error) : error;
    });
    try {
      await this.#assertFirst(id, volume, signal);
      await this.#volumes.available(volume.id, signal);
      const written = await this.#fill(volume, data, signal);
      await this.#assertFirst(id, volume, signal);
      assertWanted(signal);
      await this.#volumes.addMetadata(volume.id, { image_size: String(written) }, signal).catch(orDiscarded);
      await this.#volumes.makeReadOnly(volume.id, signal).catch(orDiscarded);
      assertWanted(signal);
      return volume.id;
    } catch (error) {
      await ignoringMissing(this.#erase(volume.id, AbortSignal.timeout(tidyTime))).catch((obstacle: unknown) => {
        throw withLeftovers(error, obstacle);
      });
      throw error;
    }
  }

  /** Writes all data, extending the volume where it is too small; answers with the number of bytes. */
  async #fill({ id, size }: Volume, data: Bytes, signal: AbortSignal): Promise<number> {
    const source = new SegmentSource(abortable(data, signal, () => cancellation(signal)));
    let [room, written] = [size, 0];
    let attached: Awaited<ReturnType<Attachments['attach']>> | undefined;
    async function* counted(bytes: Bytes): Bytes {
      for await (const chunk of bytes) {
        written += chunk.length;
        yield chunk;
      }
    }
    try {
      while (await source.more()) {
        if (written >= room * gib) {
          room = grown(room);
          if (!this.#settings.extendAttached) await attached?.detach();
          if (!this.#settings.extendAttached) attached = undefined;
          await this.#volumes.extend(id, room, signal).catch(orDiscarded);
        }
        attached ??= await this.#attachments.attach(id, signal).catch(orDiscarded);
        const device = await attached.open();
        try {
          await device.write(counted(source.take(room * gib - written)), written, signal);
        } finally {
          await device.close();
        }
      }
      return written;
    } finally {
      await source.close();
      await attached?.detach();
    }
  }

  /** Fails where another volume of the image is complete, or was there before. */
  async #assertFirst(id: string, { id: own }: Volume, signal: AbortSignal): Promise<void> {
    const all = await this.#of(id, signal);
    // Its time as all see it: what Cinder said when it made the volume may be another one.
    const since = all.find((each) => each.id === own)?.created_at;
    if (since === undefined) throw discarded();
    for (const { id: other, created_at: created, metadata } of all) {
      if (other === own) continue;
      if (metadata['image_size'] !== undefined) {
        throw dataExists();
      }
      if (created < since || (created === since && other < own)) {
        throw dataArrives();
      }
    }
  }

  /** The volumes of an image. */
  async #of(id: string, signal: AbortSignal): Promise<Volume[]> {
    const found: Volume[] = [];
    for await (const volume of this.#volumes.list(signal, nameOf(id))) {
      if (volume.metadata['glance_image_id'] === id) found.push(volume);
    }
    return found;
  }

  /** Deletes a volume that no image refers to, whoever has it attached. */
  async #erase(volume: string, signal: AbortSignal): Promise<void> {
    // A volume that is still being made cannot be deleted.
    const error = await this.#volumes.available(volume, signal).then(undefined, (cause: unknown) => cause);
    if (isServiceError(error, 'Cancelled')) return;
    await this.#attachments.detachAll(volume, signal);
    await this.#volumes.delete(volume, signal);
  }
}

const nameOf = (id: string): string => `image-${id}`;

function bytesOf({ metadata, size }: Volume): number {
  return metadata['image_size'] === undefined ? size * gib : Number(metadata['image_size']);
}

/** Larger by a quarter, for every time takes a detachment and an attachment. In GiB. */
const grown = (size: number): number => size + Math.max(1, Math.floor(size / 4));

/** Cinder does not like the volume as such. */
const badRequest = ({ message, cause }: ServiceError): ServiceError =>
  new ServiceError('StorageDenied', message, {}, { cause });
