import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { declare, integer, text, type ValuesOf } from '@glance/config';

/** Where a process tells its supervisor how it is. */
export const adminOptions = declare('DEFAULT', {
  admin_host: text({ default: '127.0.0.1', ours: true, help: 'Address of the admin port.' }),
  admin_port: integer({
    min: 1,
    max: 65535,
    ours: true,
    help:
      'Port of /live and /ready, which answer 200, or 503 with the reasons, in JSON. Without it there is none. Each ' +
      'process on a machine needs its own.',
  }),
});

/** Fails with the reason, if what it looks at does not work. */
export type Check = () => Promise<void>;

export interface AdminPort {
  /** The process is up: from now on it is ready while all checks succeed. */
  started(checks: Readonly<Record<string, Check>>): void;
  /** From now on it is not ready. */
  stopping(): void;
}

/** Milliseconds that a check may take. Probes commonly wait for a second or two. */
const patience = 900;

/** Opens the admin port, if one is set. It does not keep the process alive. Fails if the address is taken. */
export async function openAdminPort({ adminHost, adminPort }: ValuesOf<typeof adminOptions>): Promise<AdminPort> {
  let reasons = async (): Promise<string[]> => ['The process is starting.'];
  if (adminPort !== undefined) {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://admin');
      if (pathname === '/live') answer(response, 200, { live: true });
      else if (pathname === '/ready') void reasons().then((found) => answerReady(response, found));
      else answer(response, 404, { message: 'There are /live and /ready.' });
    });
    server.listen(adminPort, adminHost).unref();
    await once(server, 'listening');
  }
  return {
    started(checks) {
      const askers = Object.entries(checks).map(([name, check]) => asker(name, check));
      reasons = async () => (await Promise.all(askers.map((ask) => ask()))).filter((reason) => reason !== undefined);
    },
    stopping() {
      reasons = async () => ['The process is about to stop.'];
    },
  };
}

/** Says what is wrong. A check that hangs is not begun again: each probe would leave one more behind. */
function asker(name: string, check: Check): () => Promise<string | undefined> {
  let running: Promise<string | undefined> | undefined;
  return () => {
    running ??= check()
      .then(
        () => undefined,
        (error: unknown) => `${name}: ${error instanceof Error ? error.message : String(error)}`,
      )
      .finally(() => (running = undefined));
    return inTime(running, `${name}: no answer within ${patience} ms`);
  };
}

async function inTime<T>(work: Promise<T>, otherwise: T): Promise<T> {
  const late = Promise.withResolvers<T>();
  const timer = setTimeout(() => late.resolve(otherwise), patience);
  const result = await Promise.race([work, late.promise]);
  clearTimeout(timer);
  return result;
}

function answerReady(response: ServerResponse, reasons: readonly string[]): void {
  const ready = reasons.length === 0;
  answer(response, ready ? 200 : 503, { ready, reasons });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(body)}\n`);
}
