export { beginSpan, beginTrace, inOwnTrace, inTrace, type Span, traceHeaders } from './span.js';
export { startTracing, type Tracing } from './start-tracing.js';
export { tracingOptions } from './tracing-options.js';
