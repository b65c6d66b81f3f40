import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogFields, ServiceError } from '@glance/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from './identity/identity.js';
import type { RunningApi } from './start-api.js';
import { imagePath, startFront } from './testing/front.js';
import { type Answer, http, type Request } from './testing/http-client.js';

let api: RunningApi;
beforeAll(async () => {
  api = await startFront();
});
afterAll(() => api.close());

const ask = (method: string, path: string, options?: Request): Promise<Answer> => http(method, api.url + path, options);

describe('the health check', () => {
  it('is fine', async () => {
    const { status, text, headers } = await ask('GET', '/healthcheck');
    expect({ status, text }).toEqual({ status: 200, text: 'OK' });
    expect(headers['x-openstack-request-id']).toBeUndefined();
    expect((await ask('HEAD', '/healthcheck')).status).toBe(204);
    expect((await ask('POST', '/healthcheck')).status).toBe(200);
  });

  it('fails while an operator has switched this process off by a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'health-'));
    const file = join(folder, 'disable');
    const switched = await startFront({ settings: { disableByFilePath: file } });
    await writeFile(file, '');
    const { status, text } = await http('GET', `${switched.url}/healthcheck`);
    expect({ status, text }).toEqual({ status: 503, text: 'DISABLED BY FILE' });
    expect((await http('HEAD', `${switched.url}/healthcheck`)).status).toBe(503);
    await rm(file);
    expect((await http('GET', `${switched.url}/healthcheck`)).status).toBe(200);
    await switched.close();
    await rm(folder, { recursive: true });
  });
});

describe('a stop', () => {
  it('turns new requests away and waits for those under way', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { promise: reached, resolve: arrive } = Promise.withResolvers<void>();
    const slow = async () => {
      arrive();
      await held;
      throw new ServiceError('NotFound', 'late');
    };
    const stopping = await startFront({ registry: slow });
    const running = http('GET', stopping.url + imagePath);
    await reached;
    const drained = stopping.drain(60_000);
    const late = await http('GET', `${stopping.url}/healthcheck`);
    expect(late.status).toBe(503);
    expect(late.headers['retry-after']).toBe('5');
    expect(late.headers.connection).toBe('close');
    release();
    const answer = await running;
    expect(answer.text).toContain('late');
    expect(answer.headers.connection).toBe('close');
    expect(await drained).toBe(true);
    await stopping.close();
    await expect(http('GET', stopping.url)).rejects.toThrow();
  });

  it('that is announced fails the health check, serves requests, and ends connections with their answers', async () => {
    const stopping = await startFront();
    stopping.announceStop();
    expect((await http('GET', `${stopping.url}/healthcheck`)).status).toBe(503);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const served = await http('GET', `${stopping.url}/versions`, { agent });
    expect({ status: served.status, connection: served.headers.connection }).toEqual({
      status: 200,
      connection: 'close',
    });
    agent.destroy();
    await stopping.close();
  });

  it('gives up waiting when its time is over', async () => {
    const stuck = (): Promise<never> => new Promise(() => undefined);
    const stopping = await startFront({ registry: stuck });
    const running = http('GET', stopping.url + imagePath).catch((error: unknown) => error);
    await new Promise<void>((resolve) => {
      const probe = request(`${stopping.url}/v2/schemas/image`, (answer) => answer.resume().on('end', resolve));
      probe.end();
    });
    expect(await stopping.drain(10)).toBe(false);
    await stopping.close();
    expect(await running).toBeInstanceOf(Error);
  });
});

describe('a connection', () => {
  it('stays open for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await ask('GET', '/', { agent })).headers.connection).toBe('keep-alive');
    expect((await ask('GET', '/healthcheck', { agent })).status).toBe(200);
    agent.destroy();
  });

  it('is closed after each request if the operator wants that', async () => {
    const closing = await startFront({ settings: { httpKeepalive: false } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await http('GET', closing.url, { agent })).headers.connection).toBe('close');
    agent.destroy();
    await closing.close();
  });

  it('on which nothing moves for too long is closed', async () => {
    const impatient = await startFront({ settings: { clientSocketTimeout: 1 } });
    const socket = connect(Number(new URL(impatient.url).port), '127.0.0.1');
    socket.write('POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
    await once(socket, 'close');
    await impatient.close();
  });

  it('whose client asks before it sends JSON is told to go on', async () => {
    const asking = request(`${api.url}/v2/images`, { method: 'POST', headers: { expect: '100-continue' } });
    asking.flushHeaders();
    await once(asking, 'continue');
    asking.end('[]');
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(400);
    answer.resume();
  });
});

describe('a caller who is not accepted', () => {
  it('is told how to log in, whatever he asks of the API, but may see versions and health', async () => {
    const identity: Identity = {
      challenge: 'Keystone uri="http://keystone"',
      identify: async () => {
        throw new ServiceError('Unauthenticated', 'Log in.');
      },
    };
    const guarded = await startFront({ identity });
    for (const [method, path] of [
      ['GET', imagePath],
      ['PUT', `${imagePath}/file`],
      ['GET', '/v2/nothing'],
      ['POST', '/v2/images/x'],
      ['GET', '/v2.9/schemas/image'],
    ] as const) {
      const { status, headers } = await http(method, guarded.url + path);
      expect({ status, challenge: headers['www-authenticate'] }).toEqual({
        status: 401,
        challenge: identity.challenge,
      });
    }
    expect((await http('GET', `${guarded.url}/versions`)).status).toBe(200);
    expect((await http('GET', `${guarded.url}/healthcheck`)).status).toBe(200);
    await guarded.close();
  });
});

describe('the log', () => {
  it('has a line per request, and the cause of what is nobody else’s fault', async () => {
    const lines: [string, string, unknown][] = [];
    const log = (level: string) => (message: string, fields?: LogFields) =>
      void lines.push([level, message, fields?.['requestId']]);
    const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    const registry = async (): Promise<never> => {
      throw new TypeError('defect');
    };
    const logging = await startFront({ logger, registry });
    await http('GET', `${logging.url}${imagePath}?a=b`, { headers: { 'x-openstack-request-id': 'one' } });
    expect(await logging.drain(5000)).toBe(true);
    await logging.close();
    expect(lines).toEqual([
      ['error', 'A request failed.', 'req-one'],
      ['info', `GET ${imagePath}?a=b 500`, 'req-one'],
    ]);
  });
});

describe('start-up', () => {
  it('fails when its port is taken', async () => {
    await expect(startFront({ settings: { bindPort: Number(new URL(api.url).port) } })).rejects.toThrow(/EADDRINUSE/);
  });
});
