import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './service.js';

/** As an endpoint of oslo.messaging is given it. */
export interface Notification {
  readonly priority: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly publisher_id: string;
  readonly event_type: string;
  readonly payload: unknown;
  readonly metadata: { readonly message_id: string; readonly timestamp: string };
}

export interface OsloListener {
  /** In the order in which they came. */
  readonly received: readonly Notification[];
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly exchange: string;
  readonly topics?: readonly string[];
  readonly durable?: boolean;
}

/** A program with Debian's oslo.messaging that listens to notifications. */
export async function osloListener(
  url: string,
  { exchange, topics = ['notifications'], durable = false }: ListenerOptions,
): Promise<OsloListener> {
  const script = join(root, 'e2e', 'oslo-listener.py');
  const child = spawn('/usr/bin/python3', [script, url, exchange, String(durable), ...topics], {
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8' },
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const received: Notification[] = [];
  const ended = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    void ended.then(() => reject(new Error(`The listener ended.\n${complaints}`)));
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'listening') resolve();
      else received.push(JSON.parse(line) as Notification);
    });
  });
  return {
    received,
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
