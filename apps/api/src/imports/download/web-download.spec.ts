import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { AddressGuard, type Resolve, WebClient } from '@glance/store';
import { pattern } from '../../testing/uploading.js';
import { serve, type Serving, type WebServer, webServer } from '../../testing/web-server.js';
import { UrlFilter } from './url-filter.js';
import { webSources } from './web-source.js';

const MiB = 1024 * 1024;
const data = pattern(35 * MiB);
const open: Filter = {
  allowedSchemes: [],
  disallowedSchemes: [],
  allowedHosts: [],
  disallowedHosts: [],
  allowedPorts: [],
  disallowedPorts: [],
  allowedNetworks: [],
};
type Filter = ConstructorParameters<typeof UrlFilter>[0];
const cleanUp: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const each of cleanUp.splice(0)) await each();
});

async function served(...how: Parameters<typeof webServer>): Promise<WebServer> {
  const server = await webServer(...how);
  cleanUp.push(server.close);
  return server;
}

interface Conditions {
  readonly networks?: readonly string[];
  readonly resolve?: Resolve;
  readonly filter?: Partial<Filter>;
  readonly patience?: number;
  readonly deadline?: number;
  readonly headers?: Record<string, string>;
}

async function download(url: string, conditions: Conditions = {}): Promise<Buffer> {
  const { networks = ['127.0.0.0/8'], resolve, filter = {}, patience = 20_000, deadline = 60_000 } = conditions;
  const guard = new AddressGuard(networks, 'allowed_networks', resolve);
  const urls = new UrlFilter({ ...open, ...filter }, guard);
  const client = new WebClient({ check: (each) => urls.check(each), lookup: guard.lookup, patience });
  const headers = conditions.headers ?? {};
  const source = webSources(client, { retries: 3, deadline, pause: 1 })({ url, headers });
  const { size, data: bytes } = await source.open(new AbortController().signal);
  const parts: Buffer[] = [];
  for await (const chunk of bytes) parts.push(Buffer.from(chunk));
  const all = Buffer.concat(parts);
  expect(size ?? all.length).toBe(all.length);
  return all;
}

const at = ({ port }: WebServer, host = '127.0.0.1') => `http://${host}:${port}/image`;

describe('a download', () => {
  it.each([
    ['with a length', {}],
    ['in chunks', { chunked: true }],
  ])('%s arrives', async (_, how) => {
    const server = await served(serve(data, how));
    expect((await download(at(server))).equals(data)).toBe(true);
    expect(server.requests[0]!.headers['accept-encoding']).toBe('identity');
  });

  it.each<[string, Serving]>([
    ['by entity tag', { etag: '"v1"' }],
    ['by time', { lastModified: 'Mon, 23 Nov 2026 10:00:00 GMT' }],
    ['although it has no length', { etag: '"v1"', chunked: true }],
    ['from the start, where ranges are not known', { etag: '"v1"', whole: true }],
  ])('that breaks every 10 MiB is fetched on: %s', async (_, how) => {
    const breaks = serve(data, { ...how, breakAfter: 10 * MiB });
    // One that knows no ranges would break at the same place for ever.
    const server = await served((request, response, nth) =>
      (nth > 1 && how.whole ? serve(data, how) : breaks)(request, response),
    );
    expect((await download(at(server))).equals(data)).toBe(true);
    expect(server.requests).toHaveLength(how.whole ? 2 : 4);
    expect(server.requests[1]!.headers.range).toMatch(/^bytes=\d+-$/);
  });

  it.each([
    ['cannot be told from another version', {}, /how to tell whether the rest belongs/],
    ['has only a weak tag', { etag: 'W/"v1"' }, /how to tell whether the rest belongs/],
  ])('that breaks and %s fails', async (_, how, reason) => {
    const server = await served(serve(data, { breakAfter: 10 * MiB, ...how }));
    await expect(download(at(server))).rejects.toThrow(reason);
  });

  it('whose data changes while it breaks fails', async () => {
    const server = await served((request, response, nth) =>
      serve(data, { breakAfter: 10 * MiB, etag: `"v${nth}"` })(request, response),
    );
    await expect(download(at(server))).rejects.toThrow(/has changed/);
  });

  it('whose continuation begins somewhere else, or is of another size, fails', async () => {
    for (const range of [`bytes 1-${data.length - 1}/${data.length}`, 'bytes 10485760-99/100', 'lines 1-2']) {
      const server = await served((request, response, nth) => {
        if (nth === 1) serve(data, { breakAfter: 10 * MiB, etag: '"v1"' })(request, response);
        else response.writeHead(206, { 'content-range': range }).end('x');
      });
      await expect(download(at(server))).rejects.toThrow(/has changed/);
    }
  });

  it('that is shorter than was announced fails, however often it is asked for', async () => {
    const server = await served(serve(data, { claims: data.length + 100, etag: '"v1"' }));
    await expect(download(at(server))).rejects.toThrow(/ended after 36700160 of 36700260 bytes/);
  });

  it('whose end cannot be told from a break fails', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nperhaps all'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(async () => void server.close());
    const { port } = server.address() as AddressInfo;
    await expect(download(`http://127.0.0.1:${port}/`)).rejects.toThrow(/a part could pass for all/);
  });

  it('outlives a server that is busy for a while', async () => {
    const server = await served((request, response, nth) => {
      if (nth < 3) response.writeHead(503).end();
      else serve(data)(request, response);
    });
    expect((await download(at(server))).length).toBe(data.length);
  });

  it('fails at once when there is nothing, and after some tries when the server stays busy or away', async () => {
    const missing = await served((_, response) => void response.writeHead(404).end());
    await expect(download(at(missing))).rejects.toThrow(/answered 404/);
    expect(missing.requests).toHaveLength(1);
    const busy = await served((_, response) => void response.writeHead(503).end());
    await expect(download(at(busy))).rejects.toThrow(/answered 503/);
    expect(busy.requests).toHaveLength(4);
    const gone = await served(serve(data));
    await gone.close();
    cleanUp.pop();
    await expect(download(at(gone))).rejects.toThrow(/ECONNREFUSED/);
  });

  it('fails when the server is silent before its answer, or within it, and when it takes too long', async () => {
    const mute = await served(() => undefined);
    await expect(download(at(mute), { patience: 50 })).rejects.toThrow(/did not answer within 0.05 s/);
    const stuck = await served((_, response) => {
      response.setHeader('etag', '"v1"').setHeader('content-length', 100);
      response.write('some');
    });
    await expect(download(at(stuck), { patience: 50 })).rejects.toThrow(/ended after 4 of 100 bytes/);
    await expect(download(at(stuck), { deadline: 50 })).rejects.toThrow(/took more than 0.05 s/);
  });

  it('goes where it is redirected to, without what was for the first host only', async () => {
    const target = await served(serve(data));
    const first = await served((_, response) => void response.writeHead(302, { location: at(target) }).end());
    const all = await download(at(first), { headers: { 'x-auth-token': 'secret' } });
    expect(all.length).toBe(data.length);
    expect(first.requests[0]!.headers['x-auth-token']).toBe('secret');
    expect(target.requests[0]!.headers).not.toHaveProperty('x-auth-token');
  });

  it('that is redirected for ever fails', async () => {
    const server = await served((_, response) => void response.writeHead(307, { location: '/again' }).end());
    await expect(download(at(server))).rejects.toThrow(/redirects more than 10 times/);
  });
});

describe('a download from where nobody should look', () => {
  const to = (...addresses: string[]): Resolve => {
    return (_, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
  };

  it.each([
    '127.0.0.1',
    '0x7f000001',
    '2130706433',
    '017700000001',
    '127.1',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fd00::1]',
    '169.254.169.254',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '[::]',
  ])('is refused without a connection: %s', async (host) => {
    const server = await served(serve(data));
    await expect(download(at(server, host), { networks: [] })).rejects.toMatchObject({ code: 'Invalid' });
    expect(server.requests).toEqual([]);
  });

  it.each([['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::ffff:10.0.0.1']])(
    'is refused when the name means it: %s %s',
    async (...addresses) => {
      const server = await served(serve(data));
      const refused = download(at(server, 'images.example'), { networks: [], resolve: to(...addresses) });
      await expect(refused).rejects.toMatchObject({ code: 'Forbidden' });
      expect(server.requests).toEqual([]);
    },
  );

  it('is refused when a redirect leads there, by address or by name', async () => {
    const inside = await served(serve(data));
    const resolve: Resolve = (host, done) => to(host === 'public.example' ? '127.0.0.2' : '127.0.0.1')(host, done);
    const networks = ['127.0.0.2'];
    for (const target of [at(inside), at(inside, 'inside.example'), `//0x7f.1:${inside.port}/`, 'file:///etc/passwd']) {
      const redirect = (_: unknown, response: ServerResponse) =>
        void response.writeHead(301, { location: target }).end();
      const outside = await served(redirect, '127.0.0.2');
      await expect(download(at(outside, 'public.example'), { networks, resolve })).rejects.toMatchObject({
        code: expect.stringMatching(/Invalid|Forbidden/) as string,
      });
      expect(outside.requests).toHaveLength(1);
    }
    expect(inside.requests).toEqual([]);
  });

  it('is refused when the name means something else the second time', async () => {
    const server = await served(serve(data, { breakAfter: 10 * MiB, etag: '"v1"' }));
    let asked = 0;
    const resolve: Resolve = (host, done) => {
      asked += 1;
      to(asked === 1 ? '127.0.0.1' : '127.0.0.2')(host, done);
    };
    const refused = download(at(server, 'images.example'), { networks: ['127.0.0.1'], resolve });
    await expect(refused).rejects.toMatchObject({ code: 'Forbidden' });
    // One look for each connection: nothing is looked up between the check and the connection.
    expect([asked, server.requests.length]).toEqual([2, 1]);
  });

  it('is allowed in networks that an administrator names', async () => {
    const server = await served(serve(data));
    const networks = ['127.0.0.0/8'];
    expect((await download(at(server, 'images.example'), { networks, resolve: to('127.0.0.1') })).length).toBe(
      data.length,
    );
    expect((await download(at(server, '2130706433'), { networks })).length).toBe(data.length);
  });
});

describe('the filter of URLs', () => {
  const check = (url: string, filter: Partial<Filter>) =>
    new UrlFilter({ ...open, ...filter }, new AddressGuard([], 'allowed_networks')).check(url).href;

  it.each<[string, Partial<Filter>]>([
    ['http://example.org/', { allowedSchemes: ['https'] }],
    ['http://example.org/', { disallowedSchemes: ['http'] }],
    ['http://other.org/', { allowedHosts: ['example.org'] }],
    ['http://EXAMPLE.org./', { disallowedHosts: ['Example.org'] }],
    ['http://example.org:8080/', { allowedPorts: ['80', '443'] }],
    ['https://example.org/', { disallowedPorts: ['443'] }],
    ['http://example.org@other.org/', { allowedHosts: ['example.org'] }],
    ['http://other.org\\@example.org/', { allowedHosts: ['example.org'] }],
    ['http://0x08080808/', { disallowedHosts: ['8.8.8.8'] }],
    ['ftp://example.org/', {}],
    ['http://', {}],
    ['example.org', {}],
  ])('refuses %s with %j', (url, filter) => {
    expect(() => check(url, filter)).toThrow(/does not pass the filter/);
  });

  it.each<[string, Partial<Filter>]>([
    ['http://example.org/', {}],
    ['http://example.org/', { allowedHosts: ['example.org'], disallowedHosts: ['example.org'] }],
    ['https://example.org/', { allowedPorts: ['80', '443'] }],
    ['http://[2606:4700::1111]/', { allowedHosts: ['2606:4700::1111'] }],
  ])('lets %s pass with %j', (url, filter) => {
    expect(check(url, filter)).toBe(url);
  });
});
