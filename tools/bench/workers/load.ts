import { Connection, type Endpoint } from '../connection.js';
import { serveJobs } from './serve-jobs.js';

/** Small requests, sent over keep-alive connections, one after the other on each. */
export interface LoadJob extends Endpoint {
  readonly connections: number;
  /** Whole HTTP requests, sent in turn. */
  readonly requests: readonly string[];
  /** Each request once, or in turn again and again for so many seconds. */
  readonly seconds: 'once' | number;
  /** Any other answer fails the job. */
  readonly expect: { readonly status: number; readonly bytes?: number };
  /** A request about the image that the first one made; `{id}` stands for it. Both count as one. Answers 204. */
  readonly then?: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly clientCpuSeconds: number;
  /** Milliseconds, ascending. */
  readonly latencies: readonly number[];
  /** Of the images in the answers to POST requests, in the order of the answers. */
  readonly ids: readonly string[];
}

serveJobs(load);

async function load(job: LoadJob): Promise<LoadResult> {
  const latencies: number[] = [];
  const ids: string[] = [];
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const deadline = job.seconds === 'once' ? Infinity : begin + job.seconds * 1000;
  let turn = 0;
  const one = async (connection: Connection) => {
    do {
      if (job.seconds === 'once' && turn >= job.requests.length) return;
      const request = job.requests[turn++ % job.requests.length]!;
      const sent = performance.now();
      const id = await ask(job, connection, request);
      if (id !== undefined) ids.push(id);
      if (job.then !== undefined) check(await connection.send(job.then.replace('{id}', id!)), { status: 204 });
      latencies.push(performance.now() - sent);
    } while (performance.now() < deadline);
  };
  const connections = Array.from({ length: job.connections }, () => new Connection(job));
  try {
    await Promise.all(connections.map(one));
  } finally {
    for (const connection of connections) connection.close();
  }
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  return { requests: latencies.length, seconds, clientCpuSeconds: (user + system) / 1e6, latencies, ids };
}

async function ask(job: LoadJob, connection: Connection, request: string): Promise<string | undefined> {
  const reply = await connection.send(request);
  check(reply, job.expect);
  if (!request.startsWith('POST')) return undefined;
  return (JSON.parse(reply.body.toString()) as { id: string }).id;
}

function check(reply: { status: number; body: Buffer }, expect: LoadJob['expect']): void {
  if (reply.status === expect.status && (expect.bytes ?? reply.body.length) === reply.body.length) return;
  const got = `${reply.status} with ${reply.body.length} bytes: ${reply.body.toString().slice(0, 300)}`;
  throw new Error(`Wrong answer: expected ${expect.status} with ${expect.bytes ?? 'any'} bytes, got ${got}`);
}
