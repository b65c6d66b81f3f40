import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { type Logger, ServiceError } from '@glance/domain';
import type { RemoteCheck } from '@glance/policy';
import type { AuthorizationSettings } from './authorization-options.js';

/** Bytes; the answer that counts has four. */
const longestAnswer = 1024;

/**
 * Asks a server as oslo.policy's http: and https: checks do: a POST of `rule`, `target` and `credentials`; `True` as the
 * body of the answer, with or without quotes, allows.
 */
export function remoteCheck(settings: AuthorizationSettings, logger: Logger): RemoteCheck {
  const tls = {
    rejectUnauthorized: settings.remoteSslVerifyServerCrt,
    ca: read('remote_ssl_ca_crt_file', settings.remoteSslCaCrtFile),
    cert: read('remote_ssl_client_crt_file', settings.remoteSslClientCrtFile),
    key: read('remote_ssl_client_key_file', settings.remoteSslClientKeyFile),
  };
  const type = settings.remoteContentType;
  return async (url, target, credentials, rule) => {
    const question = { rule, target, credentials };
    const body = type === 'application/json' ? JSON.stringify(question) : formOf(question);
    const signal = AbortSignal.timeout(settings.remoteTimeout * 1000);
    try {
      const answer = await post(url, body, { headers: { 'content-type': type }, signal, ...tls });
      return answer.replace(/^"+|"+$/g, '') === 'True';
    } catch (error) {
      logger.warn(`The policy rule "${rule}" refuses, because the server that it asks does not answer.`, { error });
      return false;
    }
  };
}

function formOf(fields: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)] as [string, string]);
  return new URLSearchParams(pairs).toString();
}

function post(url: string, body: string, options: https.RequestOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const send = url.startsWith('https:') ? https.request : http.request;
  const request = send(url, { ...options, method: 'POST' }, (response) => {
    let answer = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      answer += text;
      if (answer.length <= longestAnswer) return;
      reject(new Error('The answer is too long.'));
      response.destroy();
    });
    response.on('error', reject);
    response.on('end', () => resolve(answer));
  });
  request.on('error', reject);
  request.end(body);
  return promise;
}

function read(option: string, path: string | undefined): Buffer | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ServiceError('Invalid', `[oslo_policy] ${option}: ${(error as Error).message}`);
  }
}
