import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../tools/services/ports.js';
import { scratchDirectory } from '../tools/services/scratch-directory.js';
import { startProcess } from '../tools/services/server-process.js';

export interface Haproxy {
  readonly url: string;
  /** How many of the servers behind it get requests. */
  serversUp(): Promise<number>;
  close(): Promise<void>;
}

/** HAProxy as docs/operations.md says, in front of apis on these ports of this machine. */
export async function startHaproxy(ports: readonly number[]): Promise<Haproxy> {
  const directory = scratchDirectory('disk');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const file = join(directory.path, 'haproxy.cfg');
  writeFileSync(file, configuration(port, ports));
  const serversUp = async (): Promise<number> => {
    const reply = await fetch(`${url}/haproxy;csv`).catch(() => undefined);
    const rows = ((await reply?.text()) ?? '').split('\n');
    return rows.filter((row) => /^glance,api\d+,.*,UP,/.test(row)).length;
  };
  const server = await startProcess({
    command: 'haproxy',
    args: ['-db', '-f', file],
    ready: async () => (await serversUp()) === ports.length,
  });
  return {
    url,
    serversUp,
    async close() {
      await server.kill();
      directory.remove();
    },
  };
}

function configuration(port: number, servers: readonly number[]): string {
  return [
    'defaults',
    '  mode http',
    '  option redispatch',
    '  retries 3',
    '  timeout connect 2s',
    '  timeout client 15m',
    '  timeout server 15m',
    'frontend images',
    `  bind 127.0.0.1:${port}`,
    '  stats enable',
    '  stats uri /haproxy',
    '  default_backend glance',
    'backend glance',
    '  balance roundrobin',
    '  option httpchk GET /healthcheck',
    '  http-check expect status 200',
    '  default-server inter 1s fall 2 rise 2',
    ...servers.map((server, index) => `  server api${index} 127.0.0.1:${server} check`),
    '',
  ].join('\n');
}
