import { afterEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '@glance/domain';
import { freePort } from '../../../tools/services/ports.js';
import { startTraceCollector } from '../../../tools/services/trace-collector.js';
import { beginSpan, beginTrace, inOwnTrace, inTrace, startTracing, type Tracing, traceHeaders } from './index.js';

const off = { enabled: false, connectionString: 'messaging://' };

describe('tracing', () => {
  let tracing: Tracing | undefined;
  afterEach(async () => {
    await tracing?.stop();
    tracing = undefined;
    vi.unstubAllEnvs();
  });

  /** The variables are those of this process, for OpenTelemetry reads them itself. */
  async function start(variables: Readonly<Record<string, string>>, options = off): Promise<void> {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    const parts = { options, environment: process.env, program: 'test', version: '1', logger: silentLogger };
    tracing = await startTracing(parts);
  }

  const step = { name: 'step', kind: 'internal' } as const;
  const work = (): Promise<string> => inOwnTrace(step, async () => traceHeaders()['traceparent'] ?? 'none');

  it.each([
    [{}, off],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }, off],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_EXPORTER: 'none' }, off],
    [{}, { enabled: true, connectionString: 'messaging://' }],
    [{}, { enabled: false, connectionString: 'otlp://127.0.0.1:1' }],
  ])('is off with %j and %j, and what is traced goes on as ever', async (variables, options) => {
    await start(variables, options);
    expect(tracing).toBeUndefined();
    expect(await work()).toBe('none');
    expect(inTrace({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }, () => traceHeaders())).toEqual({});
  });

  it('sends what the end of a process comes before, to the collector of osprofiler’s option', async () => {
    const collector = await startTraceCollector();
    await start({}, { enabled: true, connectionString: collector.url.replace('http', 'otlp') });
    expect(await work()).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(collector.spans).toEqual([]);
    await tracing?.stop();
    expect(collector.spans).toMatchObject([
      { name: 'step', resource: { 'service.name': 'test', 'service.version': '1' }, failed: false },
    ]);
    await collector.close();
  });

  it('records nothing of what belongs to no trace, and of a failure only that it was one', async () => {
    const collector = await startTraceCollector();
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    beginSpan(step).end();
    await inOwnTrace(step, async () => {
      throw new Error('a name of somebody');
    }).catch(() => undefined);
    await tracing?.stop();
    expect(collector.spans).toMatchObject([{ failed: true, attributes: { 'error.type': 'Internal' } }]);
    expect(Buffer.concat(collector.received).toString('latin1')).not.toContain('a name of somebody');
    await collector.close();
  });

  it('records as many as the sampler of the environment lets it', async () => {
    const collector = await startTraceCollector();
    const ratio = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' };
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...ratio });
    expect(await work()).toMatch(/-00$/);
    const asked = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
    beginTrace({ name: 'asked for', kind: 'server' }, asked).end();
    await tracing?.stop();
    expect(collector.spans).toMatchObject([{ name: 'asked for', traceId: 'a'.repeat(32) }]);
    await collector.close();
  });

  it('tells of a collector that is away once, and lets a process end without it', async () => {
    const lines: string[] = [];
    const warn = (message: string): void => void lines.push(message);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${await freePort()}`);
    vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '100');
    vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '1');
    const logger = { ...silentLogger, warn };
    tracing = await startTracing({ options: off, environment: process.env, program: 'test', version: '1', logger });
    await work();
    await vi.waitFor(() => expect(lines).toEqual(['Traces are lost.']), { timeout: 10_000 });
    await work();
    await tracing?.stop();
    expect(lines).toHaveLength(1);
  });
});
