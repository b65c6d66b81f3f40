import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { MIB, piece } from '../pattern.js';
import { serveJobs } from './serve-jobs.js';

/** One object by the SDK alone, in parts as large and as many at a time as those of the service. */
export interface SdkJob {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly work: 'upload' | 'download' | 'remove';
  readonly bytes: number;
}

const partSize = 10 * MIB;
const parallel = 10;
const object = { Bucket: 'sdk', Key: 'object' };

serveJobs(async (job: SdkJob): Promise<{ seconds: number }> => {
  const { endpoint, accessKeyId, secretAccessKey, work, bytes } = job;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  try {
    // Making it again is no error there.
    if (work === 'upload') await client.send(new CreateBucketCommand({ Bucket: object.Bucket }));
    const begin = performance.now();
    if (work === 'upload') await upload(client, bytes);
    else if (work === 'download') await download(client, bytes);
    else await client.send(new DeleteObjectCommand(object));
    return { seconds: (performance.now() - begin) / 1000 };
  } finally {
    client.destroy();
  }
});

async function upload(client: S3Client, bytes: number): Promise<void> {
  const part = Buffer.concat(Array.from({ length: partSize / MIB }, () => piece));
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
  const marks: { ETag: string | undefined; PartNumber: number }[] = [];
  let next = 0;
  const send = async (): Promise<void> => {
    for (let number = next++; number * partSize < bytes; number = next++) {
      const Body = part.subarray(0, Math.min(partSize, bytes - number * partSize));
      const PartNumber = number + 1;
      const command = new UploadPartCommand({ ...object, UploadId, PartNumber, Body, ContentLength: Body.length });
      marks[number] = { ETag: (await client.send(command)).ETag, PartNumber };
    }
  };
  try {
    await Promise.all(Array.from({ length: parallel }, send));
    await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts: marks } }));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(() => undefined);
    throw error;
  }
}

async function download(client: S3Client, bytes: number): Promise<void> {
  const { Body } = await client.send(new GetObjectCommand(object));
  let received = 0;
  for await (const chunk of Body as AsyncIterable<Uint8Array>) received += chunk.length;
  if (received !== bytes) throw new Error(`The SDK received ${received} bytes instead of ${bytes}.`);
}
