import { ListMultipartUploadsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { options, type S3Settings } from '../drivers/s3.js';
import { s3Client } from '../drivers/s3/s3-client.js';
import { settingsOf } from './settings.js';

const { origin, username, password } = new URL(process.env['GLANCE_TEST_RADOSGW']!);
const keys = { accessKey: username, secretKey: decodeURIComponent(password) };

/** The gateway that tests have, without its keys. */
export const radosgw = origin;

/** Settings for a bucket of the gateway that tests have. */
export function radosgwSettings(changes: Partial<S3Settings> = {}): S3Settings {
  return settingsOf(options, {
    s3StoreHost: origin,
    s3StoreAccessKey: keys.accessKey,
    s3StoreSecretKey: keys.secretKey,
    s3StoreBucket: 'images',
    s3StoreCreateBucketOnPut: true,
    ...changes,
  });
}

/** A client of one's own, to look at what is there. */
export function radosgwClient(): S3Client {
  return s3Client({
    endpoint: origin,
    region: 'us-east-1',
    ...keys,
    pathStyle: true,
    authorities: undefined,
    requestChecksums: 'WHEN_REQUIRED',
    responseChecksums: 'WHEN_REQUIRED',
    connectTimeout: 10_000,
    patience: 60_000,
  });
}

/** All objects of a bucket, and all uploads that have not ended. */
export async function contentsOf(client: S3Client, Bucket: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
  return [...Contents.map(({ Key }) => Key!), ...Uploads.map(({ Key }) => `upload of ${Key}`)].sort();
}
