import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { declare, integer, text, type ValuesOf } from '@glance/config';
import { asker, type Check } from './asker.js';
import { contentType, expose, exposition } from './metrics/exposition.js';
import { checkSource } from './metrics/sources.js';

/** Where a process tells its supervisor how it is. */
export const adminOptions = declare('DEFAULT', {
  admin_host: text({ default: '127.0.0.1', ours: true, help: 'Address of the admin port.' }),
  admin_port: integer({
    min: 1,
    max: 65535,
    ours: true,
    help:
      'Port of /live and /ready, which answer 200, or 503 with the reasons, in JSON, and of /metrics for Prometheus. ' +
      'Without it there is none. Each process on a machine needs its own.',
  }),
});

export interface AdminPort {
  /** The process is up: from now on it is ready while all checks succeed. */
  started(checks: Readonly<Record<string, Check>>): void;
  /** From now on it is not ready. */
  stopping(): void;
}

/** Opens the admin port, if one is set. It does not keep the process alive. Fails if the address is taken. */
export async function openAdminPort({ adminHost, adminPort }: ValuesOf<typeof adminOptions>): Promise<AdminPort> {
  let reasons = async (): Promise<string[]> => ['The process is starting.'];
  if (adminPort !== undefined) {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://admin');
      if (pathname === '/live') answer(response, 200, { live: true });
      else if (pathname === '/ready') void reasons().then((found) => answerReady(response, found));
      else if (pathname === '/metrics') void answerMetrics(response);
      else answer(response, 404, { message: 'There are /live, /ready and /metrics.' });
    });
    server.listen(adminPort, adminHost).unref();
    await once(server, 'listening');
  }
  return {
    started(checks) {
      const askers = Object.entries(checks).map(([name, check]) => [name, asker(name, check)] as const);
      expose(checkSource(Object.fromEntries(askers)));
      reasons = async () =>
        (await Promise.all(askers.map(([, ask]) => ask()))).filter((reason) => reason !== undefined);
    },
    stopping() {
      reasons = async () => ['The process is about to stop.'];
    },
  };
}

function answerReady(response: ServerResponse, reasons: readonly string[]): void {
  const ready = reasons.length === 0;
  answer(response, ready ? 200 : 503, { ready, reasons });
}

async function answerMetrics(response: ServerResponse): Promise<void> {
  try {
    send(response, 200, contentType, await exposition());
  } catch (error) {
    send(response, 500, 'text/plain', `${String(error)}\n`);
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, connection: 'close' });
  response.end(text);
}
