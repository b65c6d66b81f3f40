import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startCeph } from '../../services/ceph.js';
import { startRadosgw } from '../../services/radosgw.js';
import { startSwift } from '../../services/swift.js';
import { run, temporaryDirectory, Worker } from '../children.js';
import { Figures, type Run } from '../figures.js';
import { MIB, patternDigests, writePattern } from '../pattern.js';
import type { Bench, Section, Verdict } from '../section.js';
import { startOurs } from '../target.js';
import type { SdkJob } from '../workers/s3-sdk.js';
import type { TransferJob, TransferResult } from '../workers/transfer.js';
import type { Digests } from './data-peers.js';
import { boundVerdicts, startBound } from './bound.js';
import { beside, columns, ofService, rate, takeTurns, type Way } from './ways.js';

const BYTES = { smoke: 64 * MIB, full: 1024 * MIB };
const STREAMS = 8;
const S3 = { upload: 'S3 upload', download: 'S3 download' };
const MANY = `${STREAMS} S3 uploads at once, length unknown`;
const SWIFT = { upload: 'Swift upload', download: 'Swift download' };
const SDK = 'AWS SDK alone';
const CLI = 'swift';

interface Session {
  readonly bench: Bench;
  readonly client: Worker<TransferJob, TransferResult>;
  readonly figures: Figures;
  readonly bytes: number;
  readonly digests: Digests;
  /** Has the file `pattern` of so many bytes. */
  readonly directory: string;
}

/** Images in S3 and in Swift, beside the clients of both without a service in between. */
export const objects: Section = {
  name: 'objects',
  async run(bench) {
    const bytes = BYTES[bench.size];
    const directory = await temporaryDirectory(bench.directory);
    await writePattern(join(directory, 'pattern'), bytes);
    const client = new Worker<TransferJob, TransferResult>(new URL('../workers/transfer.ts', import.meta.url));
    const digests = await patternDigests(bytes);
    const session = { bench, client, figures: new Figures(), bytes, digests, directory };
    await inS3(session);
    await inSwift(session);
    await client.stop();
    return {
      title: `objects: ${bytes / MIB} MiB, into S3 (Ceph's gateway) and OpenStack Swift, and out of them`,
      columns,
      figures: session.figures,
      verdicts: verdicts(session),
      notes: ['Servers and clients share the processors, and the servers keep everything in memory.'],
    };
  },
};

async function inS3(session: Session): Promise<void> {
  const { bench, figures, bytes } = session;
  bench.progress("objects: starting Ceph's gateway");
  const cluster = await startCeph();
  const gateway = await startRadosgw(cluster.conf);
  const { origin, username, password } = new URL(gateway.url);
  const keys = { accessKeyId: username, secretAccessKey: decodeURIComponent(password) };
  const ours = await startIn(session, 's3', [
    `s3_store_host = ${origin}`,
    `s3_store_access_key = ${keys.accessKeyId}`,
    `s3_store_secret_key = ${keys.secretAccessKey}`,
    's3_store_bucket = images',
    's3_store_create_bucket_on_put = True',
  ]);
  const sdk = new Worker<SdkJob, { seconds: number }>(new URL('../workers/s3-sdk.ts', import.meta.url));
  const call = async (work: SdkJob['work']): Promise<Run> =>
    rate(bytes, (await sdk.call({ endpoint: origin, ...keys, work, bytes })).seconds);
  const alone: Way = {
    name: SDK,
    upload: () => call('upload'),
    download: () => call('download'),
    remove: () => call('remove'),
  };
  const bound = await startBound({ ...session, work: S3 });
  try {
    await takeTurns(session, 'objects', S3, [ofService({ ...session, target: ours.target }), alone], () =>
      bound.measure(),
    );
    bench.progress(`objects: ${MANY}`);
    const many = ofService({ ...session, target: ours.target, streams: STREAMS });
    figures.add(MANY, many.name, await many.upload());
    await many.remove();
  } finally {
    await Promise.all([sdk.stop(), ours.stop(), bound.stop()]);
    await gateway.close();
    await cluster.close();
  }
}

async function inSwift(session: Session): Promise<void> {
  const { bench, bytes, directory } = session;
  bench.progress('objects: starting Swift');
  const server = await startSwift();
  const { origin, username, password } = new URL(server.url);
  const [address, user] = [`${origin}/auth/v1.0`, decodeURIComponent(username)];
  const ours = await startIn(session, 'swift', [
    'swift_store_auth_version = 1',
    `swift_store_auth_address = ${address}`,
    `swift_store_user = ${user}`,
    `swift_store_key = ${password}`,
    'swift_store_create_container_on_put = True',
  ]);
  const call = async (...words: string[]): Promise<Run> => {
    const begin = performance.now();
    const command = ['swift', '-A', address, '-U', user, '-K', password, ...words];
    await run('/bin/sh', ['-c', 'exec "$0" "$@" >/dev/null', ...command]);
    return rate(bytes, (performance.now() - begin) / 1000);
  };
  const tool: Way = {
    name: CLI,
    upload: () => call('upload', '--object-name', 'object', 'cli', join(directory, 'pattern')),
    download: () => call('download', '--output', '-', 'cli', 'object'),
    remove: () => call('delete', 'cli', 'object'),
  };
  try {
    await takeTurns(session, 'objects', SWIFT, [ofService({ ...session, target: ours.target }), tool]);
  } finally {
    await ours.stop();
    await server.close();
  }
}

async function startIn({ bench }: Session, kind: string, options: readonly string[]) {
  const directory = join(bench.directory, `objects-${kind}`);
  await mkdir(directory);
  const store = [`stores = ${kind}`, `default_store = ${kind}`, ...options].join('\n');
  return startOurs(directory, bench.profiles, { store });
}

function verdicts({ bench, figures }: Session): Verdict[] {
  return [
    ...Object.values(S3).map((work) => beside(figures, work, SDK, 0.8)),
    ...boundVerdicts({ bench, figures, work: S3 }, SDK, [SDK]),
    ...Object.values(SWIFT).map((work) => beside(figures, work, CLI, 0.8)),
    {
      text: `${MANY}: memory, MiB`,
      values: figures.values(MANY, 'ours', 'memoryMiB'),
      digits: 0,
      target: { atMost: 300 },
    },
  ];
}
