/** One step of a trace. */
export interface SpanDescription {
  /** Few of them: no ids. */
  readonly name: string;
  /** `server`: for somebody in another process, `client`: by another process, `internal`: neither. */
  readonly kind: 'server' | 'client' | 'internal';
  /** Named as in OpenTelemetry's conventions, where it has a name. No secrets, and no words of users: ids at most. */
  readonly attributes?: Attributes;
}

type Attributes = Readonly<Record<string, string | number>>;

/** What came with a request or message, or goes with one; names in lower case. */
export type Headers = Readonly<Record<string, unknown>>;

export interface Span {
  /** What `work` does and waits for belongs to this span. */
  within<T>(work: () => T): T;
  /** `error`: a code, for a step that has failed. */
  end(outcome?: { readonly error?: string; readonly name?: string; readonly attributes?: Attributes }): void;
}

/** What records spans. */
export interface Tracer {
  /** `from`: with the headers of a caller whose trace goes on. */
  beginTrace(description: SpanDescription, from: Headers): Span;
  /** Undefined outside of any trace. */
  beginSpan(description: SpanDescription): Span | undefined;
  headers(): Readonly<Record<string, string>>;
  inTrace<T>(headers: Headers, work: () => T): T;
}

let tracer: Tracer | undefined;

/** From now on spans are recorded by `given`, or not at all. */
export function recordSpans(given: Tracer | undefined): void {
  tracer = given;
}

const noSpan: Span = { within: (work) => work(), end: () => undefined };
const noHeaders = {};

/** A span that begins a trace, or goes on with that of the caller whose headers these are. */
export function beginTrace(description: SpanDescription, from: Headers = noHeaders): Span {
  return tracer?.beginTrace(description, from) ?? noSpan;
}

/** A step of the current trace. Without one nothing is recorded: what processes do by themselves would hide the rest. */
export function beginSpan(description: SpanDescription): Span {
  return tracer?.beginSpan(description) ?? noSpan;
}

/** `work` as a trace of its own. */
export async function inOwnTrace<T>(description: SpanDescription, work: () => Promise<T>): Promise<T> {
  const span = beginTrace(description);
  let error = 'Internal';
  try {
    const result = await span.within(work);
    error = '';
    return result;
  } finally {
    span.end({ error });
  }
}

/** The headers by which a message takes the current trace along (W3C Trace Context). */
export function traceHeaders(): Readonly<Record<string, string>> {
  return tracer?.headers() ?? noHeaders;
}

/** What `work` does and waits for belongs to the trace that came with a message, if one did. */
export function inTrace<T>(headers: Headers | undefined, work: () => T): T {
  return tracer && headers ? tracer.inTrace(headers, work) : work();
}
