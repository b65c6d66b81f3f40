import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningApi } from '../start-api.js';
import { imagePath as image, startFront } from '../testing/front.js';
import { type Answer, http, type Request } from '../testing/http-client.js';

let api: RunningApi;
beforeAll(async () => {
  api = await startFront();
});
afterAll(() => api.close());

const ask = (method: string, path: string, options?: Request): Promise<Answer> => http(method, api.url + path, options);

/** Sends bytes that no HTTP client would, and answers with all that comes back. */
function raw(text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => socket.write(text));
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  socket.on('close', () => resolve(answer)).on('error', reject);
  return promise;
}

describe('routing', () => {
  it.each([
    ['POST', image, 'DELETE, GET, PATCH'],
    ['HEAD', image, 'DELETE, GET, PATCH'],
    ['PUT', '/v2/images', 'GET, POST'],
    ['HEAD', '/v2/images', 'GET, POST'],
    ['POST', `${image}/file`, 'GET, HEAD, PUT'],
    ['PATCH', `${image}/members`, 'GET, POST'],
    ['GET', `${image}/tags/a`, 'DELETE, PUT'],
    ['GET', `${image}/actions/deactivate`, 'POST'],
    ['DELETE', '/v2/schemas/image', 'GET'],
    ['PROPFIND', '/v2/images', 'GET, POST'],
  ])('refuses %s %s with 405 and names what is allowed', async (method, path, allow) => {
    const { status, headers } = await ask(method, path);
    expect({ status, allow: headers.allow }).toEqual({ status: 405, allow });
  });

  it.each(['/v2/nothing', '/v2/images/', `${image}/`, `${image}/file/`, `${image}/nothing`, '/v2/'])(
    'knows nothing of %s',
    async (path) => {
      expect((await ask('GET', path)).status).toBe(404);
    },
  );

  it('answers another method on the usage of quotas as if it did not exist', async () => {
    expect((await ask('POST', '/v2/info/usage')).status).toBe(404);
  });

  it('answers a method that it does not know with 501', async () => {
    expect((await ask('PROPFIND', '/v2/nothing')).status).toBe(501);
    expect(await raw('FROBNICATE /v2/nothing HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 501 /);
  });

  it('redirects /v2 to /v2/', async () => {
    const { status, headers } = await ask('GET', '/v2');
    expect({ status, location: headers.location }).toEqual({ status: 302, location: '/v2/' });
  });

  it.each(['/', '/v2/images', image, '/v2/nothing'])('answers OPTIONS %s with an empty 200', async (path) => {
    const { status, text } = await ask('OPTIONS', path);
    expect({ status, text }).toEqual({ status: 200, text: '' });
  });

  it.each(['GET', 'DELETE'])('refuses a body with %s', async (method) => {
    expect((await ask(method, image, { body: '{}' })).status).toBe(400);
    const chunked = (async function* () {
      yield Buffer.from('{}');
    })();
    const headers = { 'transfer-encoding': 'chunked' };
    expect((await ask(method, image, { headers, body: chunked })).status).toBe(400);
  });

  it('takes a GET that announces an empty body', async () => {
    const headers = { 'content-length': 0, 'content-type': 'application/octet-stream' };
    expect((await ask('GET', '/v2/schemas/image', { headers })).status).toBe(200);
    expect(
      (await ask('GET', '/v2/schemas/image', { headers: { 'transfer-encoding': 'chunked' }, body: '' })).status,
    ).toBe(200);
  });

  it.each(['/v2/images/%', '/v2/images/%zz/file', '/v2/images/%c3%28'])(
    'refuses %s, which cannot be decoded',
    async (path) => {
      const { status, headers } = await ask('GET', path);
      expect(status).toBe(400);
      expect(headers['x-openstack-request-id']).toMatch(/^req-/);
    },
  );

  it.each([
    '/v2/images/..%2f..%2fetc%2fpasswd',
    '/v2/images/%00',
    '/v2/images/__proto__',
    `/v2/images/${'x'.repeat(9000)}`,
  ])('finds no image at %s', async (path) => {
    expect((await ask('GET', path)).status).toBe(404);
  });

  it('answers what is not HTTP on the spot', async () => {
    expect(await raw('NOT HTTP\r\n\r\n')).toMatch(/^HTTP\/1\.1 (400|501) /);
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  });
});
