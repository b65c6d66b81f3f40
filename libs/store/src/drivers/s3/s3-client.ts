import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { setImmediate } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { ServiceError } from '@glance/domain';

export interface S3ClientSettings {
  /** With its scheme. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Buckets are named in the path, or else in the host name. */
  readonly pathStyle: boolean;
  /** Path of certificates of authorities to trust instead of the system's. */
  readonly authorities: string | undefined;
  readonly requestChecksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED';
  readonly responseChecksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED';
  /** Milliseconds: until a connection stands, and that one may be silent. */
  readonly connectTimeout: number;
  readonly patience: number;
}

/** A client that repeats what fails for a passing reason. */
export function s3Client(settings: S3ClientSettings): S3Client {
  const { authorities, endpoint } = settings;
  const connections = { keepAlive: true, maxSockets: 256 };
  const client = new S3Client({
    endpoint,
    region: settings.region,
    forcePathStyle: settings.pathStyle,
    credentials: { accessKeyId: settings.accessKey, secretAccessKey: settings.secretKey },
    requestChecksumCalculation: settings.requestChecksums,
    responseChecksumValidation: settings.responseChecksums,
    // Asking for leave before each part costs a round trip, and the SDK opens a connection of its own for it.
    expectContinueHeader: false,
    maxAttempts: 4,
    requestHandler: {
      connectionTimeout: settings.connectTimeout,
      socketTimeout: settings.patience,
      httpAgent: new HttpAgent(connections),
      httpsAgent: new HttpsAgent({
        ...connections,
        ...(authorities !== undefined && { ca: certificates(authorities) }),
      }),
    },
  });
  signPayloads(client, endpoint.startsWith('https:'));
  return client;
}

/**
 * With TLS nobody can change what travels, so parts are not hashed for the signature, as boto does it. Without, they are
 * hashed piece by piece: the SDK would hold up everything else until it is through.
 */
function signPayloads(client: S3Client, tls: boolean): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const { body, headers } = args.request as { body?: unknown; headers: Record<string, string> };
      if (body instanceof Uint8Array) headers['x-amz-content-sha256'] = tls ? 'UNSIGNED-PAYLOAD' : await sha256(body);
      return next(args);
    },
    { step: 'build', name: 'signPayloads' },
  );
}

const piece = 1024 * 1024;

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let start = 0; start < bytes.length; start += piece) {
    hash.update(bytes.subarray(start, start + piece));
    if (start + piece < bytes.length) await setImmediate();
  }
  return hash.digest('hex');
}

function certificates(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ServiceError('StorageDenied', `The file that s3_store_cacert names cannot be read.`, {}, { cause });
  }
}
