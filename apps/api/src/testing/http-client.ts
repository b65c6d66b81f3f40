import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';

import { readFileSync } from 'node:fs';
import { answerCheck } from '../../../../tools/openapi/answer-check.js';

const description = new URL('../../../../docs/generated/openapi.json', import.meta.url);
const wrongWith = answerCheck(JSON.parse(readFileSync(description, 'utf8')) as Parameters<typeof answerCheck>[0]);

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

export interface Request {
  readonly headers?: OutgoingHttpHeaders;
  /** An object is sent as JSON, an iterable in chunks. */
  readonly body?: unknown;
  readonly agent?: Agent;
}

/** Sends one request as it is, without the niceties of `fetch`. Fails if the answer is not as the API is described. */
export async function http(method: string, url: string, options: Request = {}): Promise<Answer> {
  const { body } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request(url, { method, headers: options.headers ?? {}, agent: options.agent ?? false });
  sent.on('error', reject);
  sent.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = bytes.toString();
      const wrong = wrongWith({
        method,
        path: url.replace(/^\w+:\/\/[^/]+/, ''),
        status: response.statusCode ?? 0,
        contentType: response.headers['content-type'],
        body: bytes,
      });
      if (wrong !== undefined) {
        reject(new Error(wrong));
        return;
      }
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        bytes,
        text,
        json: <T>() => JSON.parse(text) as T,
      });
    });
  });
  if (body === undefined) sent.end();
  else if (typeof body === 'string' || body instanceof Uint8Array) sent.end(body);
  else if (Symbol.asyncIterator in Object(body)) {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      if (sent.destroyed) break;
      if (!sent.write(chunk)) await new Promise<void>((go) => sent.once('drain', go).once('close', go));
    }
    sent.end();
  } else sent.end(JSON.stringify(body));
  return promise;
}
