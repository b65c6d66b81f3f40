import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { text } from 'node:stream/consumers';
import { type WebServer, webServer } from '../testing/web-server.js';
import { type OpenstackAccount, OpenstackSession, type WantedEndpoint } from './openstack-session.js';
import { RestClient } from './rest-client.js';

const hour = 3_600_000;
const bodies: unknown[] = [];
let status: number;
let lifetime: number;
let keystone: WebServer;
let client: RestClient;

// As in the Identity API v3, "Password authentication with scoped authorization".
const catalog = [
  {
    type: 'object-store',
    name: 'swift',
    endpoints: [
      { interface: 'public', region_id: 'one', url: 'https://one.example/v1/AUTH_p' },
      { interface: 'internal', region_id: 'one', url: 'http://one.internal/v1/AUTH_p' },
      { interface: 'public', region_id: 'two', url: 'https://two.example/v1/AUTH_p' },
    ],
  },
];

beforeEach(async () => {
  [status, lifetime, bodies.length] = [201, hour, 0];
  client = new RestClient({ patience: 10_000 });
  keystone = await webServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(JSON.parse(body));
      const expires_at = new Date(Date.now() + lifetime).toISOString();
      response.writeHead(status, { 'x-subject-token': `token-${bodies.length}` });
      response.end(JSON.stringify({ token: { expires_at, project: { id: 'p' }, catalog } }));
    });
  });
});
afterEach(async () => {
  client.close();
  await keystone.close();
});

function session(account: Partial<OpenstackAccount> = {}, wanted: Partial<WantedEndpoint> = {}): OpenstackSession {
  return new OpenstackSession({
    client,
    account: {
      authUrl: `${keystone.url}/v3`,
      authVersion: 3,
      user: 'glance',
      password: 'secret',
      project: { name: 'service' },
      userDomain: { name: 'Default' },
      projectDomain: { id: 'default' },
      ...account,
    },
    wanted: { types: ['object-store'], interface: 'public', region: undefined, ...wanted },
    spare: 60_000,
    options: 'swift_store_user',
  });
}

describe('a log-in at Keystone', () => {
  it('is by password, for a project', async () => {
    expect(await session().login()).toEqual({
      token: 'token-1',
      projectId: 'p',
      endpoint: 'https://one.example/v1/AUTH_p',
    });
    expect(keystone.requests[0]!.url).toBe('/v3/auth/tokens');
    expect(bodies[0]).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'glance', domain: { name: 'Default' }, password: 'secret' } },
        },
        scope: { project: { name: 'service', domain: { id: 'default' } } },
      },
    });
  });

  it('is by application credential, which knows its project', async () => {
    const applicationCredential = { id: 'i', secret: 's' };
    await session({ applicationCredential }).login();
    const identity = { methods: ['application_credential'], application_credential: applicationCredential };
    expect(bodies[0]).toEqual({ auth: { identity } });
  });

  it('finds the service of a region and an interface', async () => {
    expect((await session({}, { region: 'two' }).login()).endpoint).toBe('https://two.example/v1/AUTH_p');
    expect((await session({}, { interface: 'internal' }).login()).endpoint).toBe('http://one.internal/v1/AUTH_p');
    expect((await session({}, { types: ['volumev3'] }).login()).endpoint).toBeUndefined();
  });

  it('is made once for many, and again before its end', async () => {
    const one = session();
    await Promise.all([one.login(), one.login(), one.login()]);
    expect(bodies).toHaveLength(1);
    lifetime = 30_000;
    const other = session();
    await other.login();
    expect((await other.login()).token).toBe('token-3');
  });

  it('is made again when its token is refused', async () => {
    const one = session();
    const refused = one.login();
    await refused;
    one.forget(refused);
    expect((await one.login()).token).toBe('token-2');
    one.forget(refused);
    expect((await one.login()).token).toBe('token-2');
  });

  it('names the options when it fails, and is tried again', async () => {
    const one = session();
    status = 401;
    await expect(one.login()).rejects.toThrow('swift_store_user');
    await expect(one.login()).rejects.toMatchObject({ code: 'StorageDenied' });
    status = 503;
    await expect(one.login()).rejects.toMatchObject({ code: 'StoreUnavailable' });
    status = 201;
    expect((await one.login()).token).toBe('token-4');
  });
});
