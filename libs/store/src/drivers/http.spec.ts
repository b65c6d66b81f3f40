import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bytes } from '../bytes.js';
import type { StoreDriver } from '../driver.js';
import { Store } from '../store.js';
import { collect, content, never } from '../testing/content.js';
import { describeReading } from '../testing/describe-driver.js';
import { newCertificate } from '../testing/faulty-proxy.js';
import { settingsOf } from '../testing/settings.js';
import { type Manners, serve, type WebServer, webServer } from '../testing/web-server.js';
import { create, type HttpSettings, options } from './http.js';

const bytes = content(3_000_000);
const httpStoreAllowedNetworks = ['127.0.0.0/8'];
const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const each of cleanUp.splice(0)) await each();
});

function driver(changes: Partial<HttpSettings> = {}): StoreDriver {
  const made = create(settingsOf(options, { httpStoreAllowedNetworks, ...changes }));
  cleanUp.push(() => made.close());
  return made;
}

async function server(...how: Parameters<typeof webServer>): Promise<WebServer> {
  const made = await webServer(...how);
  cleanUp.push(() => made.close());
  return made;
}

const serving =
  (manners: Manners = {}) =>
  (request: IncomingMessage, response: ServerResponse): void =>
    serve(bytes, request, response, manners);

async function read(url: string, from: StoreDriver, offset = 0, length?: number): Promise<Buffer> {
  return collect((await from.read(url, { offset, length, signal: never() })).data);
}

for (const [name, manners] of [
  ['http', { etag: '"v"' }],
  ['http (without ranges)', { whole: true, etag: '"v"' }],
  ['http (without HEAD)', { noHead: true }],
] as const) {
  describeReading(name, async () => {
    const files = new Map<string, Buffer>();
    const web = await webServer((request, response) => {
      const file = files.get(request.url!);
      if (file) serve(file, request, response, manners);
      else response.writeHead(404).end();
    });
    const reading = driver();
    return {
      driver: Object.assign(reading, {
        async write(id: string, data: Bytes) {
          files.set(`/${id}`, await collect(data));
          return `${web.url}/${id}`;
        },
        async delete(url: string) {
          await reading.size(url, never());
          files.delete(new URL(url).pathname);
        },
      }),
      dispose: () => web.close(),
    };
  });
}

describe('what a web server has', () => {
  it('is not written, and not deleted', async () => {
    const store = new Store(driver());
    expect(store.capabilities).toEqual({ write: false, delete: false, seek: true });
    await expect(store.delete('http://127.0.0.1/one', never())).rejects.toMatchObject({ code: 'StoreDisabled' });
    await store.discard('one', never());
  });

  it('goes on where it broke off, if the server can say that it is still the same', async () => {
    const good = await server(serving({ etag: '"v"', breakAfter: 1_100_000 }));
    expect((await read(good.url, driver())).equals(bytes)).toBe(true);
    expect(good.requests.slice(2).map(({ headers }) => headers.range)).toEqual([
      'bytes=1100000-2999999',
      'bytes=2200000-2999999',
    ]);
    const bad = await server(serving({ breakAfter: 1_100_000 }));
    await expect(read(bad.url, driver())).rejects.toMatchObject({ code: 'StorageDenied' });
  });

  it('fails when it changes meanwhile', async () => {
    let version = 0;
    const { url } = await server((request, response) => {
      serve(bytes, request, response, { etag: `"v${version++}"`, breakAfter: 1_100_000 });
    });
    await expect(read(url, driver())).rejects.toMatchObject({ code: 'StorageDenied' });
  });

  it('is found by five redirects, not by six, and not by one to another kind of URL', async () => {
    const { url } = await server((request, response) => {
      const hops = Number(/^\/(\d)$/.exec(request.url!)?.[1] ?? 0);
      if (request.url === '/file') response.writeHead(302, { location: 'file:///etc/passwd' }).end();
      else if (hops > 0) response.writeHead(302, { location: `/${hops - 1}` }).end();
      else serve(bytes, request, response);
    });
    expect((await read(`${url}/5`, driver(), 7, 100)).equals(bytes.subarray(7, 107))).toBe(true);
    await expect(read(`${url}/6`, driver())).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await expect(read(`${url}/file`, driver())).rejects.toMatchObject({ code: 'BadLocation' });
  });

  for (const [status, code] of [
    [404, 'DataNotFound'],
    [410, 'DataNotFound'],
    [401, 'StorageDenied'],
    [500, 'StoreUnavailable'],
  ] as const) {
    it(`is ${code} when it answers ${status}`, async () => {
      const { url } = await server((_, response) => response.writeHead(status).end());
      await expect(driver().size(url, never())).rejects.toMatchObject({ code });
    });
  }

  it('has a size', async () => {
    const { url } = await server((request, response) => {
      response.writeHead(200);
      response.end(request.method === 'HEAD' ? '' : bytes);
    });
    await expect(driver().size(url, never())).rejects.toMatchObject({ code: 'BadLocation' });
  });
});

describe('the certificate of a web server', () => {
  const certificate = newCertificate();

  it('is checked, against the given authorities', async () => {
    const { url } = await server(serving(), certificate);
    const refused = driver().size(url, never());
    await expect(refused).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await expect(refused).rejects.toThrow('https_ca_certificates_file');
    expect(await driver({ httpsCaCertificatesFile: certificate.path }).size(url, never())).toBe(bytes.length);
    expect(await driver({ httpsInsecure: true }).size(url, never())).toBe(bytes.length);
    expect(() => driver({ httpsCaCertificatesFile: '/nowhere' })).toThrow('https_ca_certificates_file');
  });
});

describe('networks that are not the Internet', () => {
  it('are not asked, whether a URL or a redirect leads there', async () => {
    const { url } = await server(serving());
    const guarded = driver({ httpStoreAllowedNetworks: [] });
    expect(guarded.accepts!(url)).toBe(false);
    expect(driver().accepts!(url)).toBe(true);
    const refused = guarded.size(url, never());
    await expect(refused).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(refused).rejects.toThrow('http_store_allowed_networks');
    const { port } = new URL(url);
    const away = await server((_, response) =>
      response.writeHead(302, { location: `http://127.0.0.2:${port}/` }).end(),
    );
    const strict = driver({ httpStoreAllowedNetworks: ['127.0.0.1'] });
    await expect(strict.size(away.url, never())).rejects.toMatchObject({ code: 'Forbidden' });
  });
});

describe('a proxy', () => {
  async function proxy(): Promise<{ at: string; asked: string[] }> {
    const asked: string[] = [];
    const made = createServer((request, response) => {
      asked.push(request.url!);
      serve(bytes, request, response);
    });
    made.on('connect', (request, socket) => {
      asked.push(request.url!);
      const [host, port] = request.url!.split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    await once(made.listen(0, '127.0.0.1'), 'listening');
    cleanUp.push(async () => {
      made.closeAllConnections();
      made.close();
    });
    return { at: `127.0.0.1:${(made.address() as AddressInfo).port}`, asked };
  }

  it('is asked for URLs of its scheme', async () => {
    const { at, asked } = await proxy();
    const through = driver({ httpProxyInformation: { http: at } });
    expect(await through.size('http://images.example/one', never())).toBe(bytes.length);
    expect(asked).toEqual(['http://images.example/one']);
  });

  it('passes what is encrypted on', async () => {
    const { at, asked } = await proxy();
    const certificate = newCertificate();
    const { url } = await server(serving(), certificate);
    const through = driver({
      httpProxyInformation: { https: `http://${at}` },
      httpsCaCertificatesFile: certificate.path,
    });
    expect((await read(url, through)).equals(bytes)).toBe(true);
    expect(new Set(asked)).toEqual(new Set([new URL(url).host]));
  });
});
