import { choice, declare, flag, integer, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import type { StoreDriver, StoreProperties } from '../driver.js';
import { S3Driver } from './s3/s3-driver.js';

export const schemes = ['s3', 's3+http', 's3+https'];

const checksums = ['when_required', 'when_supported'] as const;

export const options = declare('glance_store', {
  s3_store_host: text({
    help: 'URL of the server, such as https://s3.eu-west-1.amazonaws.com. Without https:// it is reached without TLS.',
  }),
  s3_store_region_name: text({
    default: '',
    help: 'Region of the bucket. If empty, the one that a host of Amazon names, and us-east-1 otherwise.',
  }),
  s3_store_access_key: text({ secret: true, help: 'Access key of the user. It is not written into locations.' }),
  s3_store_secret_key: text({ secret: true, help: 'Secret key that belongs to the access key.' }),
  s3_store_bucket: text({ help: 'Bucket that takes new images, as objects of their ids.' }),
  s3_store_create_bucket_on_put: flag({ default: false, help: 'Make the bucket when it is missing.' }),
  s3_store_bucket_url_format: choice(['auto', 'virtual', 'path'], {
    default: 'auto',
    help:
      'Whether URLs name the bucket in the host name (virtual) or in the path. With auto, hosts of Amazon are asked by ' +
      'host name, others by path.',
  }),
  s3_store_large_object_size: integer({
    default: 100,
    min: 0,
    help:
      'Mebibytes from which on Glance sends an image in parts. Here every image is, since others can stop that; the ' +
      'value is only shown by info/stores/detail.',
  }),
  s3_store_large_object_chunk_size: integer({
    default: 10,
    min: 5,
    max: 512,
    help:
      'Mebibytes of a part. Each upload holds one part in memory, and all of a process together 32 MiB more. Images ' +
      'that would have more than 10,000 parts get larger ones; those of unknown size begin with parts of 5.',
  }),
  s3_store_thread_pools: integer({ default: 10, min: 1, max: 100, help: 'Parts of an image that are sent at a time.' }),
  s3_store_cacert: text({
    default: '',
    help: "Path of the certificates of authorities to trust. If empty, Node's are.",
  }),
  s3_store_enable_data_integrity_protection: flag({
    default: false,
    help: 'Whether the two following options count. Servers other than those of Amazon may not know these checksums.',
  }),
  s3_store_request_checksum_calculation: choice(checksums, {
    default: 'when_required',
    help: 'When what is sent has a checksum.',
  }),
  s3_store_response_checksum_validation: choice(checksums, {
    default: 'when_required',
    help: 'When the checksum of what is received is checked.',
  }),
});

export type S3Settings = ValuesOf<typeof options>;

/** A store in a bucket of an S3 server. */
export function create(settings: S3Settings): StoreDriver {
  const host = needed('s3_store_host', settings.s3StoreHost).replace(/\/+$/, '');
  const endpoint = /^https?:\/\//i.test(host) ? host : `http://${host}`;
  const { amazon, region } = amazonHost(endpoint);
  const { s3StoreBucketUrlFormat: format, s3StoreEnableDataIntegrityProtection: checked } = settings;
  const when = (value: string) => (checked && value === 'when_supported' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED');
  return new S3Driver({
    client: {
      endpoint,
      region: settings.s3StoreRegionName || region || 'us-east-1',
      accessKey: needed('s3_store_access_key', settings.s3StoreAccessKey),
      secretKey: needed('s3_store_secret_key', settings.s3StoreSecretKey),
      pathStyle: format === 'path' || (format === 'auto' && !amazon),
      authorities: settings.s3StoreCacert || undefined,
      requestChecksums: when(settings.s3StoreRequestChecksumCalculation),
      responseChecksums: when(settings.s3StoreResponseChecksumValidation),
      connectTimeout: 10_000,
      patience: 60_000,
    },
    bucket: needed('s3_store_bucket', settings.s3StoreBucket),
    createBucket: settings.s3StoreCreateBucketOnPut,
    partSize: settings.s3StoreLargeObjectChunkSize * 1024 * 1024,
    parallel: settings.s3StoreThreadPools,
  });
}

/** Glance: the names that its clients read. */
export function properties(settings: S3Settings): StoreProperties {
  return {
    s3_store_large_object_size: settings.s3StoreLargeObjectSize,
    s3_store_large_object_chunk_size: settings.s3StoreLargeObjectChunkSize,
    s3_store_thread_pools: settings.s3StoreThreadPools,
  };
}

function needed(name: string, value: string | undefined): string {
  if (value) return value;
  throw new ServiceError('StorageDenied', `A store of the kind s3 needs ${name}.`);
}

function amazonHost(endpoint: string): { amazon: boolean; region: string | undefined } {
  const host = URL.parse(endpoint)?.hostname ?? '';
  const [, region] =
    /^s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+))?\.amazonaws\.com(?:\.cn)?$/.exec(host) ?? [];
  return { amazon: /\.amazonaws\.com(\.cn)?$/.test(host), region };
}
