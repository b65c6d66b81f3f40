import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { ServiceError } from '@glance/domain';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request to an image API, without a look at its certificate. Fails with a sentence unless it succeeds. */
export async function askApi(method: string, url: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const { request } = url.startsWith('https:') ? https : http;
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  request(url, { method, headers, rejectUnauthorized: false, timeout: 60_000 }, resolve).on('error', reject).end();
  const response = await promise.catch((error: unknown) => {
    throw new ServiceError('Unavailable', `Nothing answers at ${new URL(url).origin}.`, {}, { cause: error });
  });
  const [status, body] = [response.statusCode ?? 0, await text(response)];
  if (status >= 200 && status < 300) return { status, body };
  if (status === 401 || status === 403) throw new ServiceError('Forbidden', 'Not authorized to make this request.');
  throw new ServiceError('Invalid', `The API answered ${status}: ${messageOf(body)}`);
}

function messageOf(body: string): string {
  try {
    return (JSON.parse(body) as { message?: string }).message ?? body;
  } catch {
    return body;
  }
}
