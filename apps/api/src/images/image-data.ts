import {
  type Caller,
  type Deletion,
  type HeldLease,
  holdLease,
  type Image,
  type ImageLocation,
  type Images,
  isServiceError,
  type Logger,
  ServiceError,
  type StoredData,
  type Upload,
} from '@glance/domain';
import { type Bytes, digests, type Stores } from '@glance/store';
import { assertSigned, claimOf, type Signatures } from '../signatures/signatures.js';
import { atTheEnd } from './at-the-end.js';
import type { ImageSharing } from './image-sharing.js';
import { arrivalOf, type UploadConversion } from './upload-conversion.js';
import type { Inspection } from './inspect-image.js';

export interface ImageDataParts {
  readonly images: Images;
  readonly stores: Stores;
  readonly sharing: ImageSharing;
  readonly logger: Logger;
  /** Computes `os_hash_value`. */
  readonly hashAlgorithm: string;
  readonly inspect: (image: Image) => Inspection;
  readonly signatures: Pick<Signatures, 'certificateFor'>;
  /** Absent where data is stored as it comes. */
  readonly conversion?: UploadConversion | undefined;
}

export interface IncomingData {
  /** Opened only once the image waits for it. */
  readonly open: () => Bytes;
  readonly store: string;
  /** Bytes, if the client said so. */
  readonly size: number | undefined;
  /** Of the client. */
  readonly token: string | undefined;
  /** Fires when the client has gone away. */
  readonly signal: AbortSignal;
}

/** Milliseconds in which a store must have erased what an upload that came too late has left. */
const eraseTime = 60_000;

/** The order of the steps in which the bytes of an image come and go; see docs/architecture.md. */
export class ImageData {
  constructor(private readonly parts: ImageDataParts) {}

  /** queued → active, or back to queued with nothing left in the store. */
  async upload(caller: Caller, id: string, incoming: IncomingData): Promise<void> {
    const { store, size } = incoming;
    const { images, stores } = this.parts;
    const { named } = stores;
    const upload = await images.beginUpload(caller, id, { store, size: size ?? null, named });
    const lease = holdLease(images, upload.lease);
    try {
      await this.finish(lease, await this.store(upload, lease, incoming));
    } finally {
      lease.release();
    }
    await this.parts.sharing.changed(caller, id);
  }

  private async store(upload: Upload, lease: HeldLease, incoming: IncomingData): Promise<StoredData> {
    const { stores, hashAlgorithm, inspect, signatures } = this.parts;
    const { image, maxSize } = upload;
    let virtualSize: number | null = null;
    const signal = AbortSignal.any([incoming.signal, lease.signal]);
    try {
      const claim = claimOf(image, await signatures.certificateFor(image, incoming.token));
      const arriving = { image, maxSize, signal, open: incoming.open, size: incoming.size };
      await using arrival = await arrivalOf(claim ? undefined : this.parts.conversion, arriving);
      const { diskFormat } = arrival;
      const inspection = inspect({ ...image, ...(diskFormat !== undefined && { diskFormat }) });
      const digest = digests(['md5', hashAlgorithm], { claim });
      const settled = atTheEnd(async (bytes) => {
        ({ virtualSize } = inspection.judge());
        assertSigned(digest);
        await lease.confirm(bytes);
      });
      const { url, size, metadata } = await stores.write({
        id: image.id,
        store: incoming.store,
        data: arrival.data,
        taps: [digest, inspection.tap, settled],
        size: arrival.size,
        maxSize,
        owner: image.owner ?? undefined,
        signal,
      });
      const hex: Readonly<Record<string, string>> = digest.result();
      return {
        size,
        virtualSize,
        checksum: hex['md5']!,
        osHashAlgo: hashAlgorithm,
        osHashValue: hex[hashAlgorithm]!,
        location: { url, metadata },
        ...(diskFormat !== undefined && { diskFormat }),
      };
    } catch (error) {
      // A store that may still hold something is the scrubber's, once the lease has run out.
      if (!isServiceError(error) || error.details['leftovers'] !== true) await this.cancel(lease.token, error);
      throw lease.signal.aborted ? lease.signal.reason : error;
    }
  }

  private async finish(lease: HeldLease, data: StoredData): Promise<void> {
    try {
      await this.parts.images.finishUpload(lease.token, data);
    } catch (error) {
      // Only a clear refusal says that the image does not refer to the data. Otherwise the lease decides; and with
      // one that ran out somebody may be storing the image anew, under the same name: then it is theirs.
      if (lease.held && isServiceError(error) && !isServiceError(error, 'Unavailable', 'Internal', 'Cancelled')) {
        await this.parts.stores.erase([data.location], AbortSignal.timeout(eraseTime));
        await this.cancel(lease.token, error);
      }
      throw error;
    }
  }

  /** The lease runs out anyway: a registry that does not answer must not hide why the upload failed. */
  private async cancel(token: string, reason: unknown): Promise<void> {
    try {
      await this.parts.images.cancelUpload(token, isServiceError(reason) ? reason.message : undefined);
    } catch (error) {
      this.parts.logger.warn('A failed upload is left to the scrubber.', { error });
    }
  }

  /** Tells the registry how much of a download went out. */
  async tellSent(caller: Caller, id: string, sent: { bytes: number; of: number }): Promise<void> {
    try {
      await this.parts.images.finishDownload(caller, id, sent);
    } catch (error) {
      this.parts.logger.warn('Nobody is notified of a download.', { requestId: caller.requestId, error });
    }
  }

  /** The image is gone for everybody when this returns; its data too, or the scrubber erases it later. */
  async remove(caller: Caller, id: string): Promise<void> {
    await this.removed(id, await this.parts.images.beginDelete(caller, id));
  }

  /** One of several locations, by position or store; gone as an image is. */
  async removeLocation(caller: Caller, id: string, which: number | string): Promise<void> {
    await this.removed(id, await this.parts.images.beginRemoveLocation(caller, id, which));
  }

  private async removed(id: string, { lease, locations }: Deletion): Promise<void> {
    const { images, logger } = this.parts;
    if (!lease) return;
    const held = holdLease(images, lease);
    try {
      await this.erase(held, locations);
    } catch (error) {
      if (isServiceError(error, 'DataInUse', 'Forbidden')) throw error;
      logger.warn('The data of a deleted image is left to the scrubber.', { imageId: id, error });
    } finally {
      held.release();
    }
  }

  private async erase(lease: HeldLease, locations: readonly ImageLocation[]): Promise<void> {
    const { images, stores } = this.parts;
    try {
      await stores.erase(locations, lease.signal);
    } catch (error) {
      if (!isServiceError(error, 'DataInUse', 'StorageDenied')) throw error;
      await images.cancelDelete(lease.token);
      // Glance: a store that forbids it is a 403 here, other than when it is written to.
      throw error.code === 'DataInUse' ? error : new ServiceError('Forbidden', error.message, {}, { cause: error });
    }
    await images.finishDelete(lease.token);
  }
}
