import type { ValuesOf } from '@glance/config';
import type { Logger } from '@glance/domain';
import { recordSpans } from './span.js';
import type { tracingOptions } from './tracing-options.js';

export interface TracingParts {
  readonly options: ValuesOf<typeof tracingOptions>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the process is called in traces, unless OTEL_SERVICE_NAME says so. */
  readonly program: string;
  readonly version: string;
  readonly logger: Logger;
}

/** Spans that are being recorded and sent. */
export interface Tracing {
  /** Sends what was recorded, for as long as a stop may take. */
  stop(): Promise<void>;
}

/** Records spans from now on, if there is a collector to send them to; otherwise nothing of OpenTelemetry is loaded. */
export async function startTracing(parts: TracingParts): Promise<Tracing | undefined> {
  const collector = collectorOf(parts);
  if (!collector) return undefined;
  const { openTelemetry } = await import('./open-telemetry.js');
  const { tracer, stop } = openTelemetry({ ...parts, ...collector });
  recordSpans(tracer);
  return {
    stop() {
      recordSpans(undefined);
      return stop();
    },
  };
}

/** `url` is undefined where OpenTelemetry's own variables say which. */
function collectorOf({ options, environment }: TracingParts): { readonly url: string | undefined } | undefined {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  if (environment['OTEL_TRACES_EXPORTER'] === 'none') return undefined;
  if (environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
    return { url: undefined };
  }
  const [, host] = /^otlp:\/\/([^/]+)\/*$/.exec(options.connectionString) ?? [];
  return options.enabled && host !== undefined ? { url: `http://${host}/v1/traces` } : undefined;
}
