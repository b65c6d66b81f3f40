import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { isServiceError, silentLogger } from '@glance/domain';
import { examineKeystone } from '@glance/keystone';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Keystone, startKeystone } from '../../../../tools/services/keystone.js';
import { allowedBy } from './access-rules.js';
import { KeystoneIdentity } from './keystone.js';
import type { KeystoneSettings } from './keystone-options.js';
import { keystoneSettings as settings } from '../testing/keystone-settings.js';
import { TokenCache } from './token-cache.js';

const request = (headers: Record<string, string>, method = 'GET', path = '/v2/images'): FastifyRequest =>
  ({ id: 'req-1', headers, method, originalUrl: path }) as unknown as FastifyRequest;
const withToken = (token: string): FastifyRequest => request({ 'x-auth-token': token });
const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'accepted',
    (error: unknown) => (isServiceError(error) ? error.code : error),
  );

describe('identity by a real Keystone', () => {
  let keystone: Keystone;
  let identity: KeystoneIdentity;
  const made: KeystoneIdentity[] = [];
  const identityWith = (changes: Partial<KeystoneSettings>, anonymous = false): KeystoneIdentity => {
    const one = new KeystoneIdentity(
      { ...settings, authUrl: keystone.url, password: keystone.password, ...changes },
      anonymous,
      silentLogger,
    );
    made.push(one);
    return one;
  };

  beforeAll(async () => {
    keystone = await startKeystone('http://127.0.0.1:9292');
  }, 240_000);
  beforeEach(() => {
    identity = identityWith({});
  });
  afterAll(async () => {
    for (const one of made) one.close();
    await keystone.close();
  });

  it('lets an operator know that the service cannot log in, or has no right to ask', async () => {
    const problems = async (changes: Partial<KeystoneSettings>): Promise<string> => {
      const account = { ...settings, authUrl: keystone.url, password: keystone.password, ...changes };
      const findings = examineKeystone({ ...account, group: '[keystone_authtoken]' }, 'http://127.0.0.1:9292');
      return (await Array.fromAsync(findings, ({ problem }) => problem)).slice(0, 3).join();
    };
    expect(await problems({})).toBe(',,');
    expect(await problems({ password: 'wrong' })).toMatch(/refuses the login of glance/);
    expect(await problems({ username: 'alice', projectName: 'apples' })).toMatch(/none of the roles admin, service/);
  });

  it('says who a token belongs to', async () => {
    const caller = await identity.identify(withToken(await keystone.token({ user: 'alice', project: 'apples' })));
    expect(caller).toMatchObject({ requestId: 'req-1', projectId: keystone.project('apples'), serviceRoles: [] });
    expect([...caller.roles].sort()).toEqual(['member', 'reader']);
  });

  it('accepts none, a made-up and a revoked token from nobody', async () => {
    expect(await codeOf(identity.identify(request({})))).toBe('Unauthenticated');
    expect(await codeOf(identity.identify(withToken('gAAAAmadeup')))).toBe('Unauthenticated');
    const token = await keystone.token({ user: 'bob', project: 'bananas' });
    const revoked = await fetch(`${keystone.url}/v3/auth/tokens`, {
      method: 'DELETE',
      headers: { 'x-auth-token': token, 'x-subject-token': token },
    });
    expect(revoked.status).toBe(204);
    expect(await codeOf(identity.identify(withToken(token)))).toBe('Unauthenticated');
  });

  it('lets nobody in as somebody where that is allowed', async () => {
    const open = identityWith({}, true);
    expect(await open.identify(request({}))).toMatchObject({ anonymous: true, projectId: null, roles: [] });
    expect(await open.identify(withToken('gAAAAmadeup'))).toMatchObject({ anonymous: true });
  });

  it('knows the service that passes a request on, and refuses one without the role', async () => {
    const alice = await keystone.token({ user: 'alice', project: 'apples' });
    const service = await keystone.token({ user: 'nova', project: 'service' });
    const caller = await identity.identify(request({ 'x-auth-token': alice, 'x-service-token': service }));
    expect(caller.serviceRoles).toEqual(['service']);
    const forged = request({ 'x-auth-token': alice, 'x-service-token': alice });
    expect(await codeOf(identity.identify(forged))).toBe('Unauthenticated');
  });

  it('holds an application credential to its access rules', async () => {
    const alice = await keystone.token({ user: 'alice', project: 'apples' });
    const me = (await (
      await fetch(`${keystone.url}/v3/auth/tokens`, { headers: { 'x-auth-token': alice, 'x-subject-token': alice } })
    ).json()) as { token: { user: { id: string } } };
    const rules = [{ service: 'image', method: 'GET', path: '/v2/images' }];
    const made = (await (
      await fetch(`${keystone.url}/v3/users/${me.token.user.id}/application_credentials`, {
        method: 'POST',
        headers: { 'x-auth-token': alice, 'content-type': 'application/json' },
        body: JSON.stringify({ application_credential: { name: 'lister', access_rules: rules } }),
      })
    ).json()) as { application_credential: { id: string; secret: string } };
    const { id, secret } = made.application_credential;
    const identityBody = { methods: ['application_credential'], application_credential: { id, secret } };
    const reply = await fetch(`${keystone.url}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity: identityBody } }),
    });
    const headers = { 'x-auth-token': reply.headers.get('x-subject-token')! };
    expect(await codeOf(identity.identify(request(headers)))).toBe('accepted');
    expect(await codeOf(identity.identify(request(headers, 'POST')))).toBe('Unauthenticated');
    expect(await codeOf(identity.identify(request(headers, 'GET', '/v2/images/x')))).toBe('Unauthenticated');
  });

  it('says that the service’s own login is refused, without the password', async () => {
    const wrong = identityWith({ password: 'hunter2' });
    const failure = await wrong.identify(withToken('gAAAAx')).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      code: 'Unavailable',
      cause: { message: expect.stringContaining('401') as string },
    });
    expect(JSON.stringify(failure) + String((failure as Error).cause)).not.toContain('hunter2');
  });

  it('lives on what it knows while Keystone is down, and comes back with it', async () => {
    const known = await keystone.token({ user: 'alice', project: 'apples' });
    const unknown = await keystone.token({ user: 'carol', project: 'cherries' });
    await identity.identify(withToken(known));
    await keystone.stop();
    expect(await codeOf(identity.identify(withToken(known)))).toBe('accepted');
    expect(await codeOf(identity.identify(withToken(unknown)))).toBe('Unavailable');
    await keystone.start();
    expect(await codeOf(identity.identify(withToken(unknown)))).toBe('accepted');
  }, 240_000);
});

describe('identity by a Keystone that misbehaves', () => {
  let server: Server;
  const asked: string[] = [];
  let ownToken = 0;

  beforeAll(async () => {
    server = createServer((incoming, reply) => {
      asked.push(`${incoming.method} ${incoming.url}`);
      if (incoming.method === 'POST') {
        reply.writeHead(201, { 'x-subject-token': `own-${++ownToken}` }).end('{}');
      } else if (incoming.headers['x-auth-token'] === 'own-1') {
        reply.writeHead(401).end();
      } else if (incoming.headers['x-subject-token'] === 'expired' && !incoming.url!.includes('allow_expired=1')) {
        reply.writeHead(404).end();
      } else {
        const expires = new Date(Date.now() + 60_000).toISOString();
        const roles = incoming.headers['x-subject-token'] === 'service' ? [{ name: 'Service' }] : [{ name: 'Member' }];
        reply.end(JSON.stringify({ token: { expires_at: expires, user: { id: 'u' }, project: { id: 'p' }, roles } }));
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());

  const identityAt = (changes: Partial<KeystoneSettings> = {}): KeystoneIdentity => {
    const authUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3/`;
    return new KeystoneIdentity({ ...settings, authUrl, password: 'secret', ...changes }, false, silentLogger);
  };

  it('logs in anew when its own token ran out, and asks once for a token that many send at once', async () => {
    const identity = identityAt();
    const callers = await Promise.all(Array.from({ length: 50 }, () => identity.identify(withToken('alice'))));
    expect(callers[49]!.roles).toEqual(['member']);
    expect(asked.filter((line) => line.startsWith('POST'))).toHaveLength(2);
    expect(asked.filter((line) => line.startsWith('GET'))).toHaveLength(2);
    await identity.identify(withToken('alice'));
    expect(asked).toHaveLength(4);
    identity.close();
  });

  it('accepts a user’s expired token only from a service', async () => {
    const identity = identityAt();
    expect(await codeOf(identity.identify(withToken('expired')))).toBe('Unauthenticated');
    const served = request({ 'x-auth-token': 'expired', 'x-service-token': 'service' });
    expect(await identity.identify(served)).toMatchObject({ userId: 'u', serviceRoles: ['service'] });
    identity.close();
  });

  it('gives up in time on a Keystone that says nothing', async () => {
    const mute = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const authUrl = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const identity = identityAt({ authUrl, httpConnectTimeout: 0.1, httpRequestMaxRetries: 1 });
    expect(await codeOf(identity.identify(withToken('alice')))).toBe('Unavailable');
    identity.close();
    mute.closeAllConnections();
    mute.close();
  });
});

describe('access rules', () => {
  const rules = [{ service: 'image', method: 'GET', path: '/v2/images/{id}/*' }];
  it.each([
    ['image', 'GET', '/v2/images/1/file', true],
    ['image', 'PUT', '/v2/images/1/file', false],
    ['compute', 'GET', '/v2/images/1/file', false],
    ['image', 'GET', '/v2/images/1', false],
    ['image', 'GET', '/v2/images/1/file/more', false],
  ])('for %s %s %s say %j', (service, method, path, allowed) => {
    expect(allowedBy(rules, service, method, path)).toBe(allowed);
  });
  it('know any number of segments', () => {
    expect(allowedBy([{ service: 'image', method: 'GET', path: '/v2/**' }], 'image', 'GET', '/v2/a/b/c')).toBe(true);
  });
});

describe('the token cache', () => {
  it('forgets what ran out, what failed, and the oldest beyond its capacity', async () => {
    const asked: string[] = [];
    const cache = new TokenCache<string>((answer) => (answer === 'short' ? 0 : 60_000), 2);
    const ask = (token: string, answer = token): Promise<string> =>
      cache.get(token, async () => {
        asked.push(token);
        if (answer === 'fail') throw new Error('no');
        return answer;
      });
    await ask('a');
    await ask('a');
    await ask('b', 'short');
    await ask('b', 'short');
    await ask('c', 'fail').catch(() => undefined);
    await ask('c');
    await ask('a');
    expect(asked).toEqual(['a', 'b', 'b', 'c', 'c', 'a']);
  });
});
