import { silentLogger, unauthenticatedCaller } from '@glance/domain';
import type { FastifyRequest } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunningApi } from '../start-api.js';
import { imagePath, startFront } from '../testing/front.js';
import { http } from '../testing/http-client.js';
import { keystoneSettings } from '../testing/keystone-settings.js';
import { identityOf } from './identity-of.js';

const keystone = { ...keystoneSettings, authUrl: 'http://127.0.0.1:1' };
const of = (flavor: string | undefined) => identityOf({ flavor, allowAnonymousAccess: false, keystone }, silentLogger);

describe('a flavor', () => {
  it.each([undefined, '', 'caching', 'cachemanagement'])('%j asks nobody to log in', (flavor) => {
    expect(of(flavor).identify({ id: 'req-1' } as FastifyRequest)).toEqual(unauthenticatedCaller('req-1'));
  });

  it.each(['keystone', 'keystone+caching', 'keystone+cachemanagement'])('%j asks Keystone', (flavor) => {
    expect(of(flavor).challenge).toBe('Keystone uri="http://keystone.example.org:5000"');
  });

  it.each(['Keystone', 'keystone+', 'trusted-auth', 'none'])('%j does not start', async (flavor) => {
    await expect(startFront({ settings: { flavor, keystone } })).rejects.toThrow(
      `[paste_deploy] flavor = ${flavor}: must be one of keystone, keystone+caching`,
    );
  });

  it('with Keystone does not start without saying where Keystone is, or with a certificate that is not there', () => {
    const lost = { ...keystone, authUrl: undefined };
    expect(() => identityOf({ flavor: 'keystone', allowAnonymousAccess: false, keystone: lost }, silentLogger)).toThrow(
      /auth_url/,
    );
    const bare = { ...keystone, authUrl: 'https://127.0.0.1:1', cafile: '/nonexistent/ca.pem' };
    expect(() => identityOf({ flavor: 'keystone', allowAnonymousAccess: false, keystone: bare }, silentLogger)).toThrow(
      /\[keystone_authtoken\] cafile: .*no such file/,
    );
  });
});

describe('a caller who is not logged in', () => {
  let api: RunningApi;
  afterEach(() => api.close());
  const start = async (allowAnonymousAccess = false): Promise<void> => {
    api = await startFront({ settings: { flavor: 'keystone', keystone, allowAnonymousAccess } });
  };

  it.each([
    [undefined, 'text/plain; charset=UTF-8', /^401 Unauthorized\n\n.*log in/],
    ['text/html', 'text/html; charset=UTF-8', /<h1>401 Unauthorized<\/h1>/],
    ['application/json', 'application/json; charset=UTF-8', /"code":"401 Unauthorized","title":"Unauthorized"/],
  ])('who accepts %j is told where to log in', async (accept, type, body) => {
    await start();
    const { status, headers, text } = await http('GET', api.url + imagePath, {
      ...(accept && { headers: { accept } }),
    });
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Keystone uri="http://keystone.example.org:5000"');
    expect(headers['content-type']).toBe(type);
    expect(headers['x-openstack-request-id']).toBeUndefined();
    expect(text).toMatch(body);
  });

  it('still sees versions and health, and nothing below /v2 whether it exists or not', async () => {
    await start();
    const status = async (path: string): Promise<number> => (await http('GET', api.url + path)).status;
    expect(await Promise.all(['/', '/versions', '/healthcheck'].map(status))).toEqual([300, 200, 200]);
    const closed = ['/v2/images', '/v2/schemas/image', '/v2/info/import', '/v2/nowhere'];
    expect(await Promise.all(closed.map(status))).toEqual([401, 401, 401, 401]);
  });

  it('is let in as nobody where that is allowed', async () => {
    await start(true);
    const { status, headers } = await http('GET', api.url + imagePath);
    expect(status).toBe(404);
    expect(headers['x-openstack-request-id']).toMatch(/^req-/);
  });
});
