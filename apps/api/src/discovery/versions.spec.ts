import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningApi } from '../start-api.js';
import { startFront } from '../testing/front.js';
import { type Answer, http, type Request } from '../testing/http-client.js';

let api: RunningApi;
beforeAll(async () => {
  api = await startFront();
});
afterAll(() => api.close());

const ask = (method: string, path: string, options?: Request): Promise<Answer> => http(method, api.url + path, options);

describe('version discovery', () => {
  it('answers the root with 300 and the versions of a single store without a cache', async () => {
    const { status, headers, json } = await ask('GET', '/');
    const { versions } = json<{ versions: { id: string; status: string; links: unknown }[] }>();
    expect(status).toBe(300);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['x-openstack-request-id']).toBeUndefined();
    expect(versions.map(({ id }) => id)).toEqual([15, 9, 17, 7, 6, 5, 4, 3, 2, 1, 0].map((minor) => `v2.${minor}`));
    expect(versions.filter((version) => version.status === 'CURRENT').map(({ id }) => id)).toEqual(['v2.17']);
    expect(versions[0]?.links).toEqual([{ rel: 'self', href: `${api.url}/v2/` }]);
  });

  it('answers /versions with 200', async () => {
    expect((await ask('GET', '/versions')).status).toBe(200);
  });

  it.each(['/v1/images', '/v3', '/v2.99/images', '/v2.8/images', '/favicon.ico'])(
    'answers %s, which is no version, with 300',
    async (path) => {
      const answer = await ask('GET', path);
      expect(answer.status).toBe(300);
      expect(answer.json()).toHaveProperty('versions');
    },
  );

  it.each(['/v2.0', '/v2.7', '/v2.9', '/v2.15', '/v2.17', '//v2', '/v2//', '///v2.9/'])(
    'serves the API under %s',
    async (prefix) => {
      expect((await ask('GET', `${prefix}/schemas/image`)).status).toBe(200);
    },
  );

  it('serves the API without a path prefix to who names the version in Accept', async () => {
    const headers = { accept: 'application/vnd.openstack.images-v2' };
    expect((await ask('GET', '/schemas/image', { headers })).status).toBe(200);
    expect((await ask('GET', '/schemas/image', { headers: { accept: `${headers.accept}.99` } })).status).toBe(300);
  });

  it('announces the cache versions where there is a cache directory', async () => {
    const cached = await startFront({ settings: { imageCacheDir: '/nonexistent' } });
    const { versions } = (await http('GET', cached.url)).json<{ versions: { id: string; status: string }[] }>();
    await cached.close();
    expect(versions.slice(0, 6).map(({ id }) => id)).toEqual(['v2.18', 'v2.17', 'v2.16', 'v2.15', 'v2.14', 'v2.9']);
    expect(versions[0]?.status).toBe('CURRENT');
  });

  it('links to the public endpoint if there is one', async () => {
    const behind = await startFront({ settings: { publicEndpoint: 'https://cloud.example/image/' } });
    const { versions } = (await http('GET', behind.url)).json<{ versions: { links: { href: string }[] }[] }>();
    await behind.close();
    expect(versions[0]?.links[0]?.href).toBe('https://cloud.example/image/v2/');
  });

  it('believes what a proxy says only if it is told to', async () => {
    const headers = {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'cloud.example, inner.example',
      'x-forwarded-prefix': '/image',
    };
    const believing = await startFront({ settings: { enableProxyHeadersParsing: true } });
    const href = async (url: string): Promise<string> =>
      (await http('GET', url, { headers })).json<{ versions: { links: { href: string }[] }[] }>().versions[0]!.links[0]!
        .href;
    expect(await href(believing.url)).toBe('https://cloud.example/image/v2/');
    expect(await href(api.url)).toBe(`${api.url}/v2/`);
    await believing.close();
  });
});
