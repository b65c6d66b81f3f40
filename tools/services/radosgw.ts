import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);

export interface Radosgw {
  /** With the access key and the secret key of its user. */
  readonly url: string;
  /** SIGSTOP makes it hang with open connections; SIGCONT ends that. */
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again, at the same URL, and waits until it serves. */
  start(): Promise<void>;
  /** Stops it; what it stored stays in the cluster. */
  close(): Promise<void>;
}

const accessKey = 'glance-access';
// With characters that mean something in URLs.
const secretKey = 'glance/secret+key';

/**
 * The gateway of a Ceph cluster (see `startCeph`), by the path of its ceph.conf: S3 and Swift, for one user. Swift's own
 * log-in, version 1, knows it as `glance:swift`, with the same secret key.
 */
export async function startRadosgw(conf: string): Promise<Radosgw> {
  const directory = scratchDirectory('memory');
  const port = await freePort();
  const data = join(directory.path, 'data');
  await mkdir(data);
  const settings = {
    keyring: conf.replace(/ceph\.conf$/, 'ceph.client.rgw.keyring'),
    'rgw-data': data,
    // Otherwise each small answer waits 40 ms for the acknowledgement of its header.
    'rgw-frontends': `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`,
    'rgw-thread-pool-size': '32',
    'rgw-enable-usage-log': 'false',
    'rgw-dynamic-resharding': 'false',
    // What was deleted gives its room back at once.
    'rgw-gc-obj-min-wait': '1',
    'rgw-gc-processor-period': '2',
    'rgw-gc-processor-max-time': '2',
    'rgw-swift-account-in-url': 'true',
  };
  const options = ['-c', conf, '-n', 'client.rgw', ...Object.entries(settings).flatMap(([k, v]) => [`--${k}`, v])];
  const start = (): Promise<ServerProcess> =>
    startProcess({
      command: 'radosgw',
      args: ['-f', ...options, '--log-file', join(directory.path, 'rgw.log')],
      ready: () => listens(port),
      patience: 60_000,
    });
  let server = await start();
  const admin = async (...args: string[]): Promise<unknown> => run('radosgw-admin', [...options.slice(0, 6), ...args]);
  const keys = ['--access-key', accessKey, '--secret-key', secretKey];
  await admin('user', 'create', '--uid=glance', '--display-name=glance', ...keys);
  const subuser = ['--uid=glance', '--subuser=glance:swift', '--access=full', '--key-type=swift'];
  await admin('subuser', 'create', ...subuser, '--secret-key', secretKey);
  return {
    url: `http://${accessKey}:${encodeURIComponent(secretKey)}@127.0.0.1:${port}`,
    signal: (name) => server.signal(name),
    kill: () => server.kill(),
    async start() {
      server = await start();
    },
    async close() {
      await server.kill();
      directory.remove();
    },
  };
}
