import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { freePort } from './ports.js';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | undefined;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Of the process. */
  readonly resource: Readonly<Record<string, string | number>>;
}

/** Takes spans as a collector of OpenTelemetry does: OTLP, protobuf over HTTP. */
export interface TraceCollector {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** All that was sent, as it came. */
  readonly received: Buffer[];
  close(): Promise<void>;
}

export async function startTraceCollector(): Promise<TraceCollector> {
  const spans: CollectedSpan[] = [];
  const received: Buffer[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const known = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
      if (known) {
        received.push(body);
        spans.push(...spansOf(body));
      }
      response.writeHead(known ? 200 : 404).end();
    });
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    received,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Message = Map<number, (Buffer | number)[]>;

/** The fields of a message by number, whatever they mean (protobuf.dev, "Encoding"). */
function fieldsOf(data: Buffer): Message {
  const fields: Message = new Map();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = data[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const bytes = (length: number): Buffer => data.subarray(at, (at += length));
  while (at < data.length) {
    const tag = varint();
    const type = tag & 7;
    const value = type === 0 ? varint() : type === 1 ? bytes(8) : type === 5 ? bytes(4) : bytes(varint());
    const number = tag >>> 3;
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const all = (message: Message, field: number): Message[] =>
  (message.get(field) ?? []).map((value) => fieldsOf(value as Buffer));
const one = (message: Message, field: number): Buffer => (message.get(field)?.[0] as Buffer | undefined) ?? Buffer.of();

// Numbers of fields as in opentelemetry/proto/trace/v1/trace.proto.
function spansOf(body: Buffer): CollectedSpan[] {
  return all(fieldsOf(body), 1).flatMap((ofProcess) => {
    const resource = attributesOf(fieldsOf(one(ofProcess, 1)), 1);
    return all(ofProcess, 2)
      .flatMap((ofScope) => all(ofScope, 2))
      .map((span) => ({
        traceId: one(span, 1).toString('hex'),
        spanId: one(span, 2).toString('hex'),
        parentSpanId: one(span, 4).toString('hex'),
        name: one(span, 5).toString(),
        kind: ([undefined, 'internal', 'server', 'client'] as const)[Number(span.get(6)?.[0])],
        failed: fieldsOf(one(span, 15)).get(3)?.[0] === 2,
        attributes: attributesOf(span, 9),
        resource,
      }));
  });
}

function attributesOf(message: Message, field: number): Record<string, string | number> {
  return Object.fromEntries(
    all(message, field).map((pair) => {
      const value = fieldsOf(one(pair, 2));
      const [text] = (value.get(1) as Buffer[] | undefined) ?? [];
      return [one(pair, 1).toString(), text ? text.toString() : Number(value.get(3)?.[0])];
    }),
  );
}
