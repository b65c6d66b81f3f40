import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  diag,
  DiagLogLevel,
  type Span as RecordedSpan,
  SpanKind,
  SpanStatusCode,
  ROOT_CONTEXT,
  trace,
  type Tracer as Recorder,
} from '@opentelemetry/api';
import {
  getNumberFromEnv,
  getStringFromEnv,
  setGlobalErrorHandler,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from '@glance/domain';
import type { Headers, Span, SpanDescription, Tracer } from './span.js';

export interface OpenTelemetryParts {
  readonly url: string | undefined;
  readonly program: string;
  readonly version: string;
  readonly logger: Logger;
}

/** Milliseconds that the end of a process waits for a collector. */
const goodbyeTime = 3_000;

/** Milliseconds between two lines on a collector that does not take spans. */
const silence = 60_000;

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

/**
 * Spans by the SDK of OpenTelemetry, which is only loaded with this file. What its variables say of exporter, batches,
 * sampling and resource holds: OTEL_EXPORTER_OTLP_*, OTEL_BSP_*, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES.
 */
export function openTelemetry(parts: OpenTelemetryParts): { readonly tracer: Tracer; stop(): Promise<void> } {
  tellOfFailures(parts.logger);
  const provider = providerOf(parts);
  return {
    tracer: tracerOf(provider.getTracer(parts.program, parts.version)),
    async stop() {
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, delay(goodbyeTime, undefined, { ref: false })]);
    },
  };
}

function tracerOf(recorder: Recorder): Tracer {
  const storage = new AsyncLocalStorage<Context>();
  const propagator = new W3CTraceContextPropagator();
  const current = (): Context => storage.getStore() ?? ROOT_CONTEXT;
  const contextOf = (headers: Headers): Context => propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
  const begin = ({ name, kind, attributes = {} }: SpanDescription, parent: Context): Span => {
    const span = recorder.startSpan(name, { kind: kinds[kind], attributes }, parent);
    const context = trace.setSpan(parent, span);
    return { within: (work) => storage.run(context, work), end: (outcome = {}) => end(span, outcome) };
  };
  return {
    beginTrace: (description, from) => begin(description, contextOf(from)),
    beginSpan(description) {
      const parent = current();
      return trace.getSpanContext(parent) && begin(description, parent);
    },
    headers() {
      const headers: Record<string, string> = {};
      propagator.inject(current(), headers, defaultTextMapSetter);
      return headers;
    },
    inTrace: (headers, work) => storage.run(contextOf(headers), work),
  };
}

/** Of a failure only its code is told: messages name images. */
function end(span: RecordedSpan, { error, name, attributes }: NonNullable<Parameters<Span['end']>[0]>): void {
  if (name !== undefined) span.updateName(name);
  if (attributes) span.setAttributes(attributes);
  if (error) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function providerOf({ url, program, version }: OpenTelemetryParts): TracerProvider {
  const own = {
    'service.name': program,
    'service.version': version,
    'host.name': hostname(),
    'process.pid': process.pid,
  };
  const batches = {
    maxExportBatchSize: getNumberFromEnv('OTEL_BSP_MAX_EXPORT_BATCH_SIZE'),
    scheduledDelayMillis: getNumberFromEnv('OTEL_BSP_SCHEDULE_DELAY'),
    exportTimeoutMillis: getNumberFromEnv('OTEL_BSP_EXPORT_TIMEOUT'),
    maxQueueSize: getNumberFromEnv('OTEL_BSP_MAX_QUEUE_SIZE'),
  };
  const given = Object.fromEntries(Object.entries(batches).filter(([, value]) => value !== undefined));
  const exporter = new OTLPTraceExporter(url === undefined ? {} : { url });
  return new TracerProvider({
    sampler: samplerOf(getStringFromEnv('OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on'),
    resource: resourceFromAttributes(own).merge(
      detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...given })],
  });
}

/** The samplers of OpenTelemetry's specification of environment variables. */
function samplerOf(name: string): Sampler {
  const [, parentBased, root = ''] = /^(parentbased_)?(.*)$/.exec(name)!;
  const sampler = rootSampler(root);
  return parentBased ? new ParentBasedSampler({ root: sampler }) : sampler;
}

function rootSampler(name: string): Sampler {
  if (name === 'always_off') return new AlwaysOffSampler();
  if (name === 'traceidratio') return new TraceIdRatioBasedSampler(getNumberFromEnv('OTEL_TRACES_SAMPLER_ARG') ?? 1);
  return new AlwaysOnSampler();
}

function tellOfFailures(logger: Logger): void {
  let told = -Infinity;
  const tell = (message: string): void => {
    if (performance.now() - told < silence) return;
    told = performance.now();
    logger.warn('Traces are lost.', { reason: message });
  };
  setGlobalErrorHandler((error) => tell(error instanceof Error ? error.message : 'unknown'));
  const quiet = (): void => undefined;
  diag.setLogger(
    { error: tell, warn: tell, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
