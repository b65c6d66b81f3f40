import { once } from 'node:events';
import { createServer as createWebServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type Logger, silentLogger } from '@glance/domain';
import type { FastifyRequest } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type MemcachedServer, startMemcached } from '../../../../tools/services/memcached.js';
import { keystoneSettings as settings } from '../testing/keystone-settings.js';
import { thrown } from '../testing/thrown.js';
import { KeystoneIdentity } from './keystone.js';
import type { KeystoneSettings } from './keystone-options.js';
import { Memcached } from './memcached.js';
import { SharedTokens } from './shared-tokens.js';

let keystone: Server;
let asked = 0;
let memcached: MemcachedServer;
beforeAll(async () => {
  keystone = createWebServer((incoming, reply) => {
    if (incoming.method === 'POST') {
      reply.writeHead(201, { 'x-subject-token': 'own' }).end('{}');
      return;
    }
    asked++;
    if (incoming.headers['x-subject-token'] === 'revoked') reply.writeHead(404).end();
    else reply.end(JSON.stringify({ token: facts() }));
  }).listen(0, '127.0.0.1');
  [memcached] = await Promise.all([startMemcached(), once(keystone, 'listening')]);
});
afterAll(async () => {
  keystone.close();
  await memcached.close();
});

const facts = (lives = 3600) => ({
  expires_at: new Date(Date.now() + lives * 1000).toISOString(),
  user: { id: 'secret-user' },
  project: { id: 'p' },
  roles: [{ name: 'member' }],
});
const inAMinute = (): number => Date.now() + 60_000;

const open = new Set<{ close(): void }>();
afterEach(() => {
  for (const one of open) one.close();
  open.clear();
});
function closing<T extends { close(): void }>(one: T): T {
  open.add(one);
  return one;
}

const changed = (changes: Partial<KeystoneSettings>): KeystoneSettings => ({
  ...settings,
  authUrl: `http://127.0.0.1:${(keystone.address() as AddressInfo).port}`,
  password: 'x',
  memcachedServers: [memcached.address],
  ...changes,
});
/** What another process of the service would have. */
const process = (changes: Partial<KeystoneSettings> = {}): KeystoneIdentity =>
  closing(new KeystoneIdentity(changed(changes), false, silentLogger));
const shared = (changes: Partial<KeystoneSettings> = {}, logger = silentLogger): SharedTokens =>
  closing(new SharedTokens(changed(changes), logger));
const user = async (identity: KeystoneIdentity, token: string): Promise<string | null> =>
  (await identity.identify({ id: 'r', headers: { 'x-auth-token': token } } as unknown as FastifyRequest)).userId;

/** The names of all that a memcached keeps. */
async function keysIn(address: string): Promise<string[]> {
  const socket = connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
  socket.write('lru_crawler metadump all\r\n');
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk as string;
    if (text.endsWith('END\r\n')) break;
  }
  return [...text.matchAll(/^key=(\S+)/gm)].map(([, key]) => decodeURIComponent(key!));
}

describe('tokens in memcached', () => {
  it('are known to every process, so that Keystone is asked once, and never for long', async () => {
    const before = asked;
    expect(await user(process(), 'alice')).toBe('secret-user');
    await expect.poll(() => shared().get('alice')).toBeDefined();
    expect(await user(process(), 'alice')).toBe('secret-user');
    expect(asked).toBe(before + 1);

    const both = shared();
    await both.put('ended', { facts: facts(-1), until: inAMinute() });
    await both.put('ends now', { facts: facts(), until: Date.now() + 900 });
    expect([await both.get('ended'), await both.get('ends now'), await both.get('never seen')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const short = facts(30);
    await both.put('short', { facts: short, until: inAMinute() });
    expect((await both.get('short'))!.until).toBe(Date.parse(short.expires_at));
  });

  it('are not there when Keystone refused them, or when nothing is to be remembered', async () => {
    await expect(user(process(), 'revoked')).rejects.toMatchObject({ code: 'Unauthenticated' });
    await user(process({ tokenCacheTime: -1 }), 'bob');
    const both = shared();
    // Commands on one connection come one after the other: what these processes sent is there, if it is at all.
    await both.put('carol', { facts: facts(), until: inAMinute() });
    expect([await both.get('revoked'), await both.get('bob')]).toEqual([undefined, undefined]);
  });

  it.each(['MAC', 'ENCRYPT'] as const)('cannot be made up by who has not the key, with %s', async (strategy) => {
    const locked = { memcacheSecurityStrategy: strategy, memcacheSecretKey: 'one' };
    const known = { facts: facts(), until: inAMinute() };
    const before = new Set(await keysIn(memcached.address));
    await shared(locked).put('dave', known);
    expect(await shared(locked).get('dave')).toEqual(known);
    for (const other of [{}, { ...locked, memcacheSecretKey: 'two' }])
      expect(await shared(other).get('dave')).toBeUndefined();
    const [key, ...more] = (await keysIn(memcached.address)).filter((one) => !before.has(one));
    expect(more).toEqual([]);
    expect(key).not.toContain('dave');

    const raw = closing(new Memcached(memcached.address, { timeout: 3, deadRetry: 0 }));
    const sealed = (await raw.get(key!))!;
    expect(sealed.includes('secret-user')).toBe(strategy === 'MAC');
    for (const at of [0, 20, sealed.length - 3]) {
      const forged = Buffer.from(sealed);
      forged[at]! ^= 1;
      await raw.set(key!, forged, 60);
      expect(await shared(locked).get('dave')).toBeUndefined();
    }
    for (const forged of ['', 'x', JSON.stringify(known)]) {
      await raw.set(key!, Buffer.from(forged), 60);
      expect(await shared(locked).get('dave')).toBeUndefined();
    }
  });

  it('are asked for in vain where memcached is away, hangs or talks nonsense, and nobody notices', async () => {
    const nonsense = createServer((socket) =>
      socket.on('data', () => socket.write('VALUE other 0 2\r\n{}\r\nEND\r\n')),
    );
    nonsense.listen(0, '127.0.0.1');
    await once(nonsense, 'listening');
    const quick = { memcachePoolSocketTimeout: 0.1 };
    const wrong = `127.0.0.1:${(nonsense.address() as AddressInfo).port}`;
    for (const address of [wrong, '127.0.0.1:1', 'unix:/nowhere', 'nowhere.invalid:11211'])
      expect(await user(process({ ...quick, memcachedServers: [address] }), 'erin')).toBe('secret-user');
    nonsense.close();

    memcached.signal('SIGSTOP');
    const identity = process(quick);
    const users = await Promise.all(Array.from({ length: 20 }, (_, index) => user(identity, `user-${index}`)));
    expect(new Set(users)).toEqual(new Set(['secret-user']));
    memcached.signal('SIGCONT');

    // One of two is enough, and one that is back is used again.
    const two = shared({ memcachedServers: ['127.0.0.1:1', memcached.address], memcachePoolDeadRetry: 300 });
    const known = { facts: facts(), until: inAMinute() };
    const kept = async (token: string): Promise<boolean> => {
      await two.put(token, known);
      return (await two.get(token)) !== undefined;
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => kept(`first ${index}`)));
    expect(await kept('second')).toBe(true);
    const told: [string, string, unknown][] = [];
    const logger: Logger = {
      ...silentLogger,
      info: (message, fields) => void told.push(['info', message, fields]),
      warn: (message, fields) => void told.push(['warning', message, fields]),
    };
    const again = shared({ memcachePoolDeadRetry: 0 }, logger);
    await memcached.close();
    for (const token of ['second', 'third', 'fourth']) expect(await again.get(token)).toBeUndefined();
    await memcached.start();
    await again.put('third', known);
    expect(await again.get('third')).toEqual(known);
    const { address } = memcached;
    expect(told).toEqual([
      ['warning', expect.stringContaining('does not answer'), { address }],
      ['info', 'A memcached answers again.', { address }],
    ]);
  });

  it('come back whole, however many are asked for at once', async () => {
    const both = shared();
    const tokens = Array.from({ length: 200 }, (_, index) => `token-${index}`);
    const known = (token: string) => ({ facts: { ...facts(), user: { id: token } }, until: inAMinute() });
    await Promise.all(tokens.map((token) => both.put(token, known(token))));
    expect(await Promise.all(tokens.map(async (token) => (await both.get(token))?.facts.user.id))).toEqual(tokens);
  });

  it.each<Partial<KeystoneSettings>>([
    { memcachedServers: ['host:70000'] },
    { memcachedServers: ['a b'] },
    { memcachedServers: ['[::1'] },
    { memcacheSecurityStrategy: 'MAC' },
  ])('need settings that make sense: %j', (changes) => {
    expect(thrown(() => process(changes))).toBe('Invalid');
  });
});
