import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, listens } from './ports.js';
import { scratchDirectory } from './scratch-directory.js';
import { type ServerProcess, startProcess } from './server-process.js';

const run = promisify(execFile);

export interface Swift {
  /** Of the proxy, with a user and its key for the log-in of version 1, at `/auth/v1.0`. It may use every account. */
  readonly url: string;
  /** SIGSTOP makes the proxy hang with open connections; SIGCONT ends that. */
  signal(name: NodeJS.Signals): void;
  /** Stops it for good; its data is gone. */
  close(): Promise<void>;
}

const kinds = ['account', 'container', 'object'] as const;

/** OpenStack Swift with one copy of everything, and users in its configuration. Its log-in needs memcached. */
export async function startSwift(): Promise<Swift> {
  const directory = scratchDirectory('memory');
  const at = (...names: string[]): string => join(directory.path, ...names);
  const ports = { proxy: await freePort(), cache: await freePort() };
  await mkdir(at('disk', 'd1'), { recursive: true });
  const started: ServerProcess[] = [];
  const start = async (command: string, args: readonly string[], port: number): Promise<ServerProcess> => {
    const server = await startProcess({ command, args, ready: () => listens(port), patience: 60_000 });
    started.push(server);
    return server;
  };
  const backend = async (kind: (typeof kinds)[number]): Promise<void> => {
    const port = await freePort();
    const ring = at(`${kind}.builder`);
    await run('swift-ring-builder', [ring, 'create', '4', '1', '1']);
    await run('swift-ring-builder', [ring, 'add', `r1z1-127.0.0.1:${port}/d1`, '1']);
    await run('swift-ring-builder', [ring, 'rebalance']);
    await writeFile(at(`${kind}.conf`), server(kind, port, at('disk')));
    await start(`swift-${kind}-server`, [at(`${kind}.conf`)], port);
  };
  const cache = start('memcached', ['-u', 'root', '-l', '127.0.0.1', '-p', String(ports.cache)], ports.cache);
  await Promise.all([cache, ...kinds.map(backend)]);
  await writeFile(at('proxy.conf'), proxy(directory.path, ports));
  const front = await start('swift-proxy-server', [at('proxy.conf')], ports.proxy);
  return {
    url: `http://service%3Aglance:secret@127.0.0.1:${ports.proxy}`,
    signal: (name) => front.signal(name),
    async close() {
      await Promise.all(started.map((each) => each.kill()));
      directory.remove();
    },
  };
}

const server = (kind: string, port: number, devices: string): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = root
devices = ${devices}
mount_check = false
workers = 0
log_level = WARNING
fallocate_reserve = 0

[pipeline:main]
pipeline = ${kind}-server

[app:${kind}-server]
use = egg:swift#${kind}
`;

const proxy = (directory: string, ports: { proxy: number; cache: number }): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${ports.proxy}
user = root
swift_dir = ${directory}
workers = 0
log_level = WARNING

[pipeline:main]
pipeline = catch_errors gatekeeper proxy-logging cache listing_formats bulk tempauth slo dlo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true

[filter:tempauth]
use = egg:swift#tempauth
user_service_glance = secret .admin .reseller_admin
user_guest_guest = secret .admin

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${ports.cache}

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
`;
