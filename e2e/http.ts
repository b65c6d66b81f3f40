import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as open,
} from 'node:http';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { answerCheck } from '../tools/openapi/answer-check.js';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface RequestOptions {
  readonly headers?: OutgoingHttpHeaders;
  /** Whose connections to use; without one, one connection for this request only. */
  readonly agent?: Agent;
  /** What can be iterated goes out in chunks, unless a Content-Length is given. */
  readonly body?: string | Buffer | AsyncIterable<Uint8Array>;
}

const description = new URL('../docs/generated/openapi.json', import.meta.url);
const wrongWith = answerCheck(JSON.parse(readFileSync(description, 'utf8')) as Parameters<typeof answerCheck>[0]);

/** One request. The path is sent as it stands. Fails if ours answers other than the API is described. */
export async function send(method: string, url: string, options: RequestOptions = {}): Promise<Reply> {
  const { request, replied } = begin(method, url, options.headers, options.agent);
  const reply = replied.then(async (response) => {
    const { statusCode: status = 0, headers } = response;
    const body = await buffer(response);
    const path = url.replace(/^\w+:\/\/[^/]+/, '');
    const answer = { method, path, status, contentType: headers['content-type'], body };
    const wrong = process.env['E2E_TARGET'] === 'debian-glance' ? undefined : wrongWith(answer);
    if (wrong !== undefined) throw new Error(wrong);
    return { status, headers, body };
  });
  const { body } = options;
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) request.end(body);
  else await Promise.race([pour(body, request), reply]);
  return reply;
}

/** A request whose body the caller writes, and which it may destroy. */
export function begin(
  method: string,
  url: string,
  headers: OutgoingHttpHeaders = {},
  agent: Agent | false = false,
): { request: ClientRequest; replied: Promise<IncomingMessage> } {
  const [, origin, path] = /^(\w+:\/\/[^/]+)(.*)$/.exec(url)!;
  const { hostname, port } = new URL(origin!);
  const request = open({ hostname, port, path, method, headers, agent });
  const replied = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  // A server that refuses a body answers and closes: what goes wrong with the rest of the body is no news.
  request.on('error', () => undefined);
  replied.catch(() => undefined);
  return { request, replied };
}

/** The body of a reply as the JSON that it is. */
export function json(reply: Reply): unknown {
  return JSON.parse(reply.body.toString());
}

async function pour(body: AsyncIterable<Uint8Array>, request: ClientRequest): Promise<void> {
  request.flushHeaders();
  for await (const chunk of body) {
    if (request.destroyed) return;
    if (!request.write(chunk)) await drained(request);
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      request.off('drain', done).off('close', done);
      resolve();
    };
    request.on('drain', done).on('close', done);
  });
}
