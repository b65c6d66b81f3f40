import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListPartsCommand,
  type HeadObjectCommandOutput,
  paginateListObjectsV2,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { isServiceError, ServiceError } from '@glance/domain';
import { Buffers } from '../../buffers.js';
import type { Bytes } from '../../bytes.js';
import { assertWanted, cancellation } from '../../cancellation.js';
import type { ReadOptions, StoreDriver } from '../../driver.js';
import type { Holding } from '../../holding.js';
import { assertUsableName, imageName, isUsableName } from '../../image-id.js';
import { responseBytes } from '../../http/response-bytes.js';
import { resumedBytes } from '../../http/resumed-bytes.js';
import { allUploads, beginUpload, type S3Object, uploadMark, uploadsOf } from './claim-key.js';
import { s3Client, type S3ClientSettings } from './s3-client.js';
import { failS3, s3Error } from './s3-error.js';
import { s3Location, s3Url } from './s3-location.js';
import { writeParts } from './write-parts.js';
import { dataArrives, dataExists, discarded } from '../../store-error.js';

/** Of all uploads of this process together; the one part that each may always have can make it more. */
const buffers = new Buffers(40 * 1024 * 1024);

/** How often in a row a download may break off. */
const retries = 5;
/** Milliseconds that may go into tidying up what was stopped. */
const tidyTime = 30_000;

export interface S3DriverSettings {
  readonly client: S3ClientSettings;
  readonly bucket: string;
  readonly createBucket: boolean;
  /** Bytes of the parts that an image is sent in, and how many are sent at a time. */
  readonly partSize: number;
  readonly parallel: number;
}

/**
 * Images as objects of their ids, in one bucket. Every image is a multipart upload, for only that can be stopped by
 * others: it shows among the uploads of the bucket before it has a byte, which makes it a claim, and once it is aborted
 * nobody can complete it. Of several at a time the first by the server's clock wins.
 */
export class S3Driver implements StoreDriver {
  readonly capabilities = { write: true, delete: true, seek: true };
  readonly #settings: S3DriverSettings;
  readonly #client: S3Client;
  readonly #host: string;

  constructor(settings: S3DriverSettings) {
    this.#settings = settings;
    this.#client = s3Client(settings.client);
    this.#host = settings.client.endpoint.replace(/^https?:\/\//i, '').toLowerCase();
  }

  async open(): Promise<void> {
    const signal = AbortSignal.timeout(tidyTime);
    const probe = this.#object(`glance-probe-${randomUUID()}`);
    try {
      await this.#begin(probe, randomUUID(), signal);
    } catch (error) {
      if (!isNoBucket(error) || !this.#settings.createBucket) throw error;
      await this.#createBucket(signal);
      await this.#begin(probe, randomUUID(), signal);
    }
    await this.#abortAll(probe, signal);
  }

  async write(id: string, data: Bytes, options: { size: number | undefined; signal: AbortSignal }): Promise<string> {
    assertUsableName(id);
    const { signal } = options;
    assertWanted(signal);
    const object = this.#object(id);
    const mark = randomUUID();
    const upload = await this.#begin(object, mark, signal);
    try {
      await this.#assertFirst(object, upload, signal);
      const marks = await this.#send(object, upload, data, options);
      await this.#assertFirst(object, upload, signal);
      assertWanted(signal);
      await this.#complete(object, upload, marks, mark);
    } catch (error) {
      await this.#abort(object, upload, AbortSignal.timeout(tidyTime)).catch(() => undefined);
      throw s3Error(error);
    }
    await this.#undoUnwanted(object, mark, signal);
    return s3Url(
      { host: this.#host, bucket: object.Bucket, key: id },
      this.#settings.client.endpoint.startsWith('https:'),
    );
  }

  async read(url: string, { offset, length, signal }: ReadOptions): Promise<{ size: number; data: Bytes }> {
    const object = this.#at(url);
    const { ContentLength: size = 0, ETag } = await this.#head(object, signal);
    const end = Math.min(size, offset + (length ?? size));
    const open = async (start: number): Promise<Bytes> => {
      const range = { Range: `bytes=${start}-${end - 1}`, ...(ETag !== undefined && { IfMatch: ETag }) };
      const answer = await this.#client
        .send(new GetObjectCommand({ ...object, ...range }), { abortSignal: signal })
        .catch(failS3);
      if (!answer.Body) throw new ServiceError('StoreUnavailable', 'S3 answered without data.');
      return responseBytes(answer.Body as IncomingMessage, this.#settings.client.patience);
    };
    return { size, data: resumedBytes({ start: offset, end, retries, signal, open }) };
  }

  async size(url: string, signal: AbortSignal): Promise<number> {
    return (await this.#head(this.#at(url), signal)).ContentLength ?? 0;
  }

  async delete(url: string, signal: AbortSignal): Promise<void> {
    const object = this.#at(url);
    // S3 says nothing when there was nothing.
    await this.#head(object, signal);
    await this.#delete(object, signal);
  }

  /** Only without keys: the ones in the options are what counts. */
  accepts(url: string): boolean {
    try {
      return !url.includes('@') && this.#at(url).Bucket === this.#settings.bucket;
    } catch {
      return false;
    }
  }

  /** Glance: rows of its have the keys of the user in them. */
  canonical(url: string): string | undefined {
    try {
      if (this.#at(url).Bucket !== this.#settings.bucket) return undefined;
      return url.includes('@') ? s3Url(s3Location(url), /^s3\+https:/i.test(url)) : url;
    } catch {
      return undefined;
    }
  }

  async discard(id: string, signal: AbortSignal): Promise<void> {
    if (!isUsableName(id)) return;
    const object = this.#object(id);
    // In this order: once its upload is gone nobody can complete it any more.
    await this.#abortAll(object, signal);
    await this.#delete(object, signal);
  }

  async *ids(abortSignal: AbortSignal): AsyncIterable<string> {
    const { bucket: Bucket } = this.#settings;
    try {
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client: this.#client },
        { Bucket },
        { abortSignal },
      )) {
        for (const { Key = '' } of Contents) if (imageName.test(Key)) yield Key;
      }
      for await (const { Key = '' } of allUploads(this.#client, { Bucket }, abortSignal)) {
        if (imageName.test(Key)) yield Key;
      }
    } catch (error) {
      failS3(error);
    }
  }

  async holding(id: string, signal: AbortSignal): Promise<Holding | undefined> {
    const object = this.#object(id);
    const head = (await this.#exists(object, signal)) ? await this.#head(object, signal) : undefined;
    const uploads = await uploadsOf(this.#client, object, signal).catch(failS3);
    if (!head && uploads.length === 0) return undefined;
    let bytes = head?.ContentLength ?? 0;
    for (const { UploadId } of uploads) bytes += await this.#arrived(object, UploadId, signal);
    const times = [head?.LastModified, ...uploads.map(({ Initiated }) => Initiated)];
    const modified = Math.max(...times.map((time) => time?.getTime() ?? 0));
    return { objects: uploads.length + (head ? 1 : 0), bytes, modified };
  }

  /** Bytes of an upload that is not complete. */
  async #arrived(object: S3Object, UploadId: string | undefined, abortSignal: AbortSignal): Promise<number> {
    let bytes = 0;
    try {
      for (let PartNumberMarker: string | undefined; ;) {
        const command = new ListPartsCommand({ ...object, UploadId, PartNumberMarker });
        const { Parts = [], IsTruncated, NextPartNumberMarker } = await this.#client.send(command, { abortSignal });
        bytes += Parts.reduce((sum, { Size = 0 }) => sum + Size, 0);
        if (IsTruncated !== true) return bytes;
        PartNumberMarker = NextPartNumberMarker;
      }
    } catch (error) {
      // It has ended meanwhile.
      if (s3Error(error).code !== 'Cancelled') failS3(error);
      return bytes;
    }
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #object(id: string): S3Object {
    return { Bucket: this.#settings.bucket, Key: id };
  }

  #at(url: string): S3Object {
    const { host, bucket, key } = s3Location(url);
    if (host !== this.#host) throw new ServiceError('BadLocation', 'The location is not on the server of this store.');
    return { Bucket: bucket, Key: key };
  }

  async #createBucket(abortSignal: AbortSignal): Promise<void> {
    const { bucket, client } = this.#settings;
    // Glance: in the first region of Amazon, naming it is an error.
    const place =
      client.region === 'us-east-1'
        ? {}
        : { CreateBucketConfiguration: { LocationConstraint: client.region as never } };
    await this.#client.send(new CreateBucketCommand({ Bucket: bucket, ...place }), { abortSignal }).catch(failS3);
  }

  async #begin(object: S3Object, mark: string, signal: AbortSignal): Promise<string> {
    return beginUpload(this.#client, object, mark, signal).catch(failS3);
  }

  /** Whoever began earlier, or has finished, is the one who may store the image. */
  async #assertFirst(object: S3Object, upload: string, signal: AbortSignal): Promise<void> {
    const [first] = await uploadsOf(this.#client, object, signal);
    if (first && first.UploadId !== upload) {
      throw dataArrives();
    }
    if (!first) throw discarded();
    if (await this.#exists(object, signal)) {
      throw dataExists();
    }
  }

  #send(
    object: S3Object,
    UploadId: string,
    data: Bytes,
    { size, signal }: { size: number | undefined; signal: AbortSignal },
  ): Promise<string[]> {
    const { partSize, parallel } = this.#settings;
    const send = async (PartNumber: number, Body: Uint8Array, abortSignal: AbortSignal): Promise<string> => {
      const command = new UploadPartCommand({ ...object, UploadId, PartNumber, Body, ContentLength: Body.length });
      const { ETag } = await this.#client.send(command, { abortSignal }).catch(failS3);
      return ETag ?? '';
    };
    return writeParts(data, { buffers, partSize, parallel, size, signal, send });
  }

  /** Not stopped any more: nobody could tell whether it was done. */
  async #complete(object: S3Object, UploadId: string, marks: readonly string[], mark: string): Promise<void> {
    const Parts = marks.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    const command = new CompleteMultipartUploadCommand({
      ...object,
      UploadId,
      MultipartUpload: { Parts },
      // Servers that do not know it pass over it.
      IfNoneMatch: '*',
    });
    try {
      await this.#client.send(command);
    } catch (error) {
      // The SDK repeats a request whose answer was lost, and then there is no such upload any more.
      if (!(await this.#isOurs(object, mark))) throw error;
    }
  }

  async #isOurs(object: S3Object, mark: string): Promise<boolean> {
    const head = await this.#head(object, AbortSignal.timeout(tidyTime)).catch(() => undefined);
    return head?.Metadata?.[uploadMark] === mark;
  }

  async #undoUnwanted(object: S3Object, mark: string, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) return;
    if (await this.#isOurs(object, mark)) await this.#delete(object, AbortSignal.timeout(tidyTime));
    throw cancellation(signal);
  }

  async #abortAll(object: S3Object, signal: AbortSignal): Promise<void> {
    const uploads = await uploadsOf(this.#client, object, signal).catch(failS3);
    for (const { UploadId } of uploads) if (UploadId !== undefined) await this.#abort(object, UploadId, signal);
  }

  async #abort(object: S3Object, UploadId: string, abortSignal: AbortSignal): Promise<void> {
    try {
      await this.#client.send(new AbortMultipartUploadCommand({ ...object, UploadId }), { abortSignal });
    } catch (error) {
      const failure = s3Error(error);
      if (failure.code !== 'Cancelled' && failure.code !== 'DataNotFound') throw failure;
    }
  }

  async #delete(object: S3Object, abortSignal: AbortSignal): Promise<void> {
    await this.#client.send(new DeleteObjectCommand(object), { abortSignal }).catch(failS3);
  }

  async #head(object: S3Object, abortSignal: AbortSignal): Promise<HeadObjectCommandOutput> {
    try {
      return await this.#client.send(new HeadObjectCommand(object), { abortSignal });
    } catch (error) {
      const failure = s3Error(error);
      // Of a missing bucket it says the same: that must not pass for a missing image.
      if (failure.code === 'DataNotFound') await this.#assertBucket(object, abortSignal);
      throw failure;
    }
  }

  async #assertBucket({ Bucket }: S3Object, abortSignal: AbortSignal): Promise<void> {
    await this.#client.send(new HeadBucketCommand({ Bucket }), { abortSignal }).catch((error: unknown) => {
      const failure = s3Error(error);
      if (failure.code !== 'DataNotFound') throw failure;
      throw new ServiceError('StoreUnavailable', 'The bucket of the image is missing.', {}, { cause: error });
    });
  }

  async #exists(object: S3Object, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#head(object, signal);
      return true;
    } catch (error) {
      if (isServiceError(error, 'DataNotFound')) return false;
      throw error;
    }
  }
}

function isNoBucket(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && error.cause.name === 'NoSuchBucket';
}
