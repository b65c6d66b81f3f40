import { ServiceError } from '@glance/domain';

/** Where the data of an image lies: `s3[+https]://<host>/<bucket>/<key>`. */
export interface S3Location {
  /** Of the server, as the option names it, without its scheme; may have a port and a path. */
  readonly host: string;
  readonly bucket: string;
  readonly key: string;
}

/** Glance: rows of older versions have the access key and the secret key, which may have slashes, before the host. */
const form = /^s3(?:\+https?)?:\/\/(?:.*@)?([^@/?#][^@?#]*)\/([^@/?#]+)\/([^@/?#]+)$/i;

/** What a location URL says; keys in it are passed over. `BadLocation` for any other URL. */
export function s3Location(url: string): S3Location {
  const [, host, bucket, key] = form.exec(url) ?? [];
  if (host === undefined || bucket === undefined || key === undefined) {
    throw new ServiceError('BadLocation', 'The location is not that of an object in S3.');
  }
  return { host: host.toLowerCase(), bucket, key };
}

/** The URL of a location on a server that is reached with or without TLS. */
export function s3Url({ host, bucket, key }: S3Location, tls: boolean): string {
  return `${tls ? 's3+https' : 's3'}://${host}/${bucket}/${key}`;
}
