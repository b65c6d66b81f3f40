import { ServiceError } from '@glance/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunningApi } from '../start-api.js';
import { imagePath, nothing, startFront } from '../testing/front.js';
import { type Answer, http, type Request } from '../testing/http-client.js';

/** What the registry throws instead of its usual answer. */
let failure: Error | undefined;
afterEach(() => {
  failure = undefined;
});
const registry = async (): Promise<never> => {
  if (failure !== undefined) throw failure;
  return nothing();
};

let api: RunningApi;
beforeAll(async () => {
  api = await startFront({ registry });
});
afterAll(() => api.close());

const ask = (method: string, path: string, options?: Request): Promise<Answer> => http(method, api.url + path, options);

describe('errors', () => {
  it('are plain text for who asks for nothing', async () => {
    const { status, headers, text } = await ask('GET', imagePath);
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('text/plain; charset=UTF-8');
    expect(text).toBe('404 Not Found\n\nNo image <b>"x"</b> & co.\n');
  });

  it.each(['*/*', 'text/html', 'text/html, application/json', 'application/json;q=0.5, text/*'])(
    'are HTML, with nothing of the message taken for markup, for Accept: %s',
    async (accept) => {
      const { headers, text } = await ask('GET', imagePath, { headers: { accept } });
      expect(headers['content-type']).toBe('text/html; charset=UTF-8');
      expect(text).toContain('No image &lt;b&gt;&quot;x&quot;&lt;/b&gt; &amp; co.');
      expect(text).not.toContain('<b>');
    },
  );

  it.each(['application/json', 'application/json, */*;q=0.1', 'text/html;q=0.3,application/*'])(
    'are JSON for Accept: %s',
    async (accept) => {
      const { headers, json } = await ask('GET', imagePath, { headers: { accept } });
      expect(headers['content-type']).toBe('application/json; charset=UTF-8');
      expect(json()).toEqual({ message: 'No image <b>"x"</b> & co.', code: '404 Not Found', title: 'Not Found' });
    },
  );

  it('have no body for HEAD', async () => {
    const { status, text } = await ask('HEAD', `${imagePath}/file`);
    expect({ status, text }).toEqual({ status: 404, text: '' });
  });

  it.each([
    ['Invalid', 400],
    ['Forbidden', 403],
    ['Conflict', 409],
    ['Gone', 410],
    ['LimitExceeded', 413],
    ['Unavailable', 503],
  ] as const)('%s is a %i', async (code, status) => {
    failure = new ServiceError(code, 'because');
    const answer = await ask('GET', imagePath);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain('because');
  });

  it('say nothing about defects', async () => {
    failure = new TypeError('secret detail');
    const { status, text } = await ask('GET', imagePath);
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    failure = new ServiceError('Internal', 'secret detail');
    expect((await ask('GET', imagePath)).text).not.toContain('secret');
  });

  it('tell when to come back when a part of the service is away', async () => {
    failure = new ServiceError('Unavailable', 'The registry does not answer.');
    expect((await ask('GET', imagePath)).headers['retry-after']).toBe('5');
  });
});

describe('request ids', () => {
  const idOf = async (given?: string): Promise<unknown> =>
    (await ask('GET', imagePath, { headers: given === undefined ? {} : { 'x-openstack-request-id': given } })).headers[
      'x-openstack-request-id'
    ];

  it('are made up, and different', async () => {
    const [one, other] = [await idOf(), await idOf()];
    expect(one).toMatch(/^req-[0-9a-f-]{36}$/);
    expect(one).not.toBe(other);
  });

  it('are taken from the client, with the prefix that it left out', async () => {
    expect(await idOf('abc')).toBe('req-abc');
    expect(await idOf('req-abc')).toBe('req-abc');
  });

  it.each(['x'.repeat(65), 'with blank', 'umläut'])('are refused when they are "%s"', async (given) => {
    const headers = { 'x-openstack-request-id': given };
    expect((await ask('GET', imagePath, { headers })).status).toBe(400);
  });
});

describe('JSON bodies', () => {
  const create = (body: unknown, headers = {}): Promise<Answer> => ask('POST', '/v2/images', { body, headers });

  it.each([
    ['nothing', ''],
    ['half an object', '{"name": '],
    ['a list', '[]'],
    ['a string', '"name"'],
    ['null', 'null'],
    ['a number', '1'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['lists nested 10,000 deep', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['objects nested 10,000 deep', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)],
    ['a prototype', '{"__proto__": {"name": "x"}}'],
    ['a prototype that is text', '{"__proto__": "x"}'],
  ])('are refused when they are %s', async (_what, body) => {
    expect((await create(body)).status).toBe(400);
  });

  it('are refused when they are larger than any image record', async () => {
    expect((await create('x'.repeat(5 * 1024 * 1024))).status).toBe(413);
    const endless = (async function* () {
      for (let sent = 0; sent < 8; sent++) yield Buffer.alloc(1024 * 1024, 0x20);
    })();
    expect((await create(endless)).status).toBe(413);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'nonsense', 'application/json; charset=klingon'])(
    'are JSON even if they claim to be %s',
    async (type) => {
      const answer = await create('{"min_disk": -1}', { 'content-type': type });
      expect(answer.text).toContain('min_disk');
    },
  );
});
