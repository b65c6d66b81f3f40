import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '@glance/domain';
import { beginTrace, startTracing, type Tracing } from '@glance/tracing';
import { startTraceCollector, type TraceCollector } from '../../../tools/services/trace-collector.js';
import { KeystoneClient } from './keystone-client.js';

const traceId = 'a'.repeat(32);

describe('a request to Keystone within a trace', () => {
  let server: Server;
  let port: number;
  let client: KeystoneClient;
  let collector: TraceCollector;
  let tracing: Tracing | undefined;
  const asked: IncomingMessage[] = [];
  const statuses: number[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.resume());
      const status = statuses.shift() ?? (request.method === 'POST' ? 201 : 200);
      response.writeHead(status, { 'x-subject-token': 'the-service-token' }).end('{"token": {}, "limits": []}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    collector = await startTraceCollector();
    const options = { enabled: true, connectionString: collector.url.replace('http', 'otlp') };
    tracing = await startTracing({ options, environment: {}, program: 'test', version: '1', logger: silentLogger });
    client = new KeystoneClient({
      group: '[keystone_authtoken]',
      authType: 'password',
      authUrl: `http://somebody:hunter2@127.0.0.1:${port}/identity/v3`,
      username: 'glance',
      password: 'hunter2',
      projectName: 'service',
      insecure: false,
      httpConnectTimeout: 5,
      httpRequestMaxRetries: 1,
    });
  });
  afterAll(() => collector.close());

  it('is a step of it, which goes along and says neither who asks nor about whom', async () => {
    const trace = beginTrace({ name: 'first', kind: 'server' }, { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` });
    await trace.within(async () => {
      await client.validate('the-user-token', true);
      statuses.push(503, 200);
      await client.get('/v3/limits?project_id=the-project');
      statuses.push(401);
      await client.catalogueOf('the-user-token').catch(() => undefined);
      client.close();
      server.close();
      await once(server, 'close');
      await client.catalogueOf('the-user-token').catch(() => undefined);
    });
    trace.end();
    await tracing?.stop();

    const step = (name: string, path: string, more: object, failed = false): object => ({
      traceId,
      kind: 'client',
      name,
      failed,
      attributes: {
        'http.request.method': name.split(' ')[0],
        'server.address': '127.0.0.1',
        'server.port': port,
        'url.full': `http://127.0.0.1:${port}/identity${path}`,
        ...more,
      },
    });
    const answered = (status: number): object => ({ 'http.response.status_code': status });
    const refused = (status: number): object => ({ ...answered(status), 'error.type': String(status) });
    const away = { 'error.type': 'ECONNREFUSED' };
    const again = { 'http.request.resend_count': 1 };
    const catalogue = ['GET /v3/auth/catalog', '/v3/auth/catalog'] as const;
    expect(collector.spans.filter(({ kind }) => kind === 'client')).toMatchObject([
      step('POST /v3/auth/tokens', '/v3/auth/tokens', answered(201)),
      step('GET /v3/auth/tokens', '/v3/auth/tokens', answered(200)),
      step('GET /v3/limits', '/v3/limits', refused(503), true),
      step('GET /v3/limits', '/v3/limits', { ...answered(200), ...again }),
      step(...catalogue, refused(401), true),
      step(...catalogue, away, true),
      step(...catalogue, { ...away, ...again }, true),
    ]);
    const parents = asked.map(({ headers }) => headers['traceparent']);
    expect(parents).toEqual(collector.spans.slice(0, asked.length).map(({ spanId }) => `00-${traceId}-${spanId}-01`));
    expect(Buffer.concat(collector.received).toString('latin1')).not.toMatch(/hunter2|token"|the-|somebody/);
  });
});
