import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type MultipartUpload,
  type S3Client,
} from '@aws-sdk/client-s3';
import { ServiceError } from '@glance/domain';

/** An object of a bucket, which need not exist. */
export interface S3Object {
  readonly Bucket: string;
  readonly Key: string;
}

/** Metadata of an object that says which upload it came from. */
export const uploadMark = 'glance-upload';

/** The uploads of an object that are under way or were left, the first first. */
export async function uploadsOf(
  client: S3Client,
  { Bucket, Key }: S3Object,
  abortSignal: AbortSignal,
): Promise<MultipartUpload[]> {
  const found: MultipartUpload[] = [];
  for await (const upload of allUploads(client, { Bucket, Prefix: Key }, abortSignal)) {
    if (upload.Key === Key) found.push(upload);
  }
  return found.sort(byAge);
}

/** All uploads of a bucket that are under way or were left. */
export async function* allUploads(
  client: S3Client,
  where: { readonly Bucket: string; readonly Prefix?: string },
  abortSignal: AbortSignal,
): AsyncIterable<MultipartUpload> {
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ ...where, ...markers }), { abortSignal });
    yield* page.Uploads ?? [];
    if (page.IsTruncated !== true) return;
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/** Begins an upload, whose id it answers with. */
export async function beginUpload(
  client: S3Client,
  object: S3Object,
  mark: string,
  abortSignal: AbortSignal,
): Promise<string> {
  const command = new CreateMultipartUploadCommand({ ...object, Metadata: { [uploadMark]: mark } });
  const { UploadId: id } = await client.send(command, { abortSignal });
  if (id === undefined) throw new ServiceError('StoreUnavailable', 'S3 began an upload without a name.');
  return id;
}

function byAge(one: MultipartUpload, other: MultipartUpload): number {
  const ages = (one.Initiated?.getTime() ?? 0) - (other.Initiated?.getTime() ?? 0);
  return ages || ((one.UploadId ?? '') < (other.UploadId ?? '') ? -1 : 1);
}
