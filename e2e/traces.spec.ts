import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CollectedSpan, startTraceCollector, type TraceCollector } from '../tools/services/trace-collector.js';
import { send } from './http.js';
import { imageClient } from './image-client.js';
import { install, type Installation, type Part } from './installation.js';
import { target } from './service.js';
import { until } from './until.js';

describe.runIf(target === 'ours')('a trace', () => {
  let service: Installation;
  let collector: TraceCollector;
  let api: Part;

  beforeAll(async () => {
    [service, collector] = await Promise.all([install(), startTraceCollector()]);
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' };
    api = await service.part('glance-api', {}, environment);
    const registry = await service.part('glance-registry', {}, { ...environment, OTEL_SERVICE_NAME: 'facts' });
    await Promise.all([api.start(), registry.start()]);
  });
  afterAll(async () => {
    await service.close();
    await collector.close();
  });

  const traceId = (letter: string): string => letter.repeat(32);
  const asker = '1234567890abcdef';
  const traceparent = (letter: string): string => `00-${traceId(letter)}-${asker}-01`;
  const trace = (letter: string): CollectedSpan[] => collector.spans.filter((span) => span.traceId === traceId(letter));
  const named = (spans: readonly CollectedSpan[], name: RegExp): CollectedSpan => {
    const found = spans.find((span) => name.test(span.name));
    if (!found) throw new Error(`No span like ${name} among ${spans.map((span) => span.name).join(', ')}`);
    return found;
  };
  const whole = (letter: string): Promise<void> =>
    until(`the trace ${letter} is there`, () => trace(letter).some(({ parentSpanId }) => parentSpanId === asker));
  /** Names from the first of the trace to `span`. */
  const lineage = (span: CollectedSpan): string[] => {
    const parent = collector.spans.find(({ spanId }) => spanId === span.parentSpanId);
    const own = `${span.resource['service.name']}: ${span.kind} ${span.name}`;
    return parent ? [...lineage(parent), own] : [own];
  };

  /** Processes send what they have recorded by themselves, each in its time. */
  const leads = (letter: string, path: readonly string[]): Promise<void> =>
    until(`the trace ${letter} leads ${path.join(' → ')}`, () =>
      trace(letter).some((span) => lineage(span).join() === path.join()),
    );
  const call = (name: string): string[] => [`glance-api: client ${name}`, `facts: server ${name}`];

  it('leads from the client’s through the api and RabbitMQ to SQL and the store, and says no more than ids', async () => {
    const images = imageClient(api.url);
    const id = await images.create({ name: 'the-secret-project' });
    const url = `${api.url}/v2/images/${id}`;
    const headers = { 'content-type': 'application/octet-stream', 'x-auth-token': 'hunter2' };
    await send('PUT', `${url}/file`, {
      headers: { ...headers, traceparent: traceparent('a') },
      body: Buffer.alloc(99),
    });
    await send('GET', url, { headers: { ...headers, traceparent: traceparent('b') } });
    await send('GET', `${url}/file`, { headers: { ...headers, traceparent: traceparent('c') } });
    for (const letter of ['a', 'b', 'c']) await whole(letter);

    const upload = 'glance-api: server PUT /v2/images/:id/file';
    await leads('a', [upload, 'glance-api: client store transfer.write']);
    await leads('a', [upload, ...call('images/finishUpload'), 'facts: client UPDATE']);
    await leads('b', ['glance-api: server GET /v2/images/:id', ...call('images/show'), 'facts: client SELECT']);
    await leads('c', ['glance-api: server GET /v2/images/:id/file', 'glance-api: client store transfer.read']);

    expect(named(trace('b'), /^GET/).attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/v2/images/:id',
      'http.response.status_code': 200,
      'glance.image.id': id,
      'glance.request_id': expect.stringMatching(/^req-/) as string,
    });
    expect(Buffer.concat(collector.received).toString('latin1')).not.toMatch(/the-secret-project|hunter2/);
  });

  it('has the code of what failed, and is not recorded if the caller does not record it', async () => {
    const none = `${api.url}/v2/images/00000000-0000-0000-0000-000000000000`;
    await send('GET', none, { headers: { traceparent: traceparent('d').replace(/01$/, '00') } });
    await send('GET', none, { headers: { traceparent: traceparent('e') } });
    await whole('e');
    expect(named(trace('e'), /^images\/show$/)).toMatchObject({
      failed: true,
      attributes: { 'error.type': 'NotFound' },
    });
    // Nothing is wrong with a service that says 404.
    expect(named(trace('e'), /^GET/).failed).toBe(false);
    expect(trace('d')).toEqual([]);
  });

  it('begins with an import, too', async () => {
    const id = await imageClient(api.url).create();
    await send('PUT', `${api.url}/v2/images/${id}/stage`, {
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.alloc(99),
    });
    await send('POST', `${api.url}/v2/images/${id}/import`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ method: { name: 'glance-direct' } }),
    });
    const first = (): CollectedSpan | undefined => collector.spans.find(({ name }) => name === 'import glance-direct');
    await until('the import is told of', () => first() !== undefined);
    expect(first()).toMatchObject({ parentSpanId: '', attributes: { 'glance.image.id': id } });
  });
});
