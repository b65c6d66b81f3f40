import { declare, flag, text } from '@glance/config';

/** Glance: the options of osprofiler, which knows collectors of OpenTelemetry, too. */
export const tracingOptions = declare('profiler', {
  enabled: flag({
    default: false,
    aliases: ['profiler_enabled'],
    help: 'Send traces to the collector of connection_string. OTEL_EXPORTER_OTLP_ENDPOINT in the environment does so, too.',
  }),
  connection_string: text({
    default: 'messaging://',
    help:
      'Collector of OpenTelemetry that takes OTLP over HTTP: otlp://host:4318. Nothing is sent to what osprofiler ' +
      'knows besides.',
  }),
});
