import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { lastWords, startServer } from '../children.js';
import { freePort } from '../target.js';

const PROGRAMS = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/bin/nginx', '/usr/bin/nginx'];

/** Serves the files of a directory with sendfile, two workers; undefined where nginx is not installed. */
export async function startNginx(directory: string): Promise<{ port: number; pid: number } | undefined> {
  const program = PROGRAMS.find((path) => executable(path));
  if (!program) return undefined;
  const port = await freePort();
  const config = join(directory, 'nginx.conf');
  await writeFile(config, configuration(directory, port));
  const log = join(directory, 'nginx.log');
  const { child, ended } = startServer(program, ['-p', directory, '-e', log, '-c', config], { log });
  await Promise.race([
    listens(port),
    ended.then((how) => {
      throw new Error(`${how}\n${lastWords(log)}`);
    }),
  ]);
  return { port, pid: child.pid! };
}

function configuration(directory: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${directory}/nginx.pid;
worker_processes 2;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
${temporary.map((name) => `  ${name}_temp_path ${directory}/nginx-${name};`).join('\n')}
  server { listen 127.0.0.1:${port}; root ${directory}; }
}
`;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function listens(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
}
