import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { type Endpoint, PATIENCE } from '../connection.js';
import { MIB, chunkedPiece, piece } from '../pattern.js';
import { ResponseReader } from '../response-reader.js';
import { serveJobs } from './serve-jobs.js';

/** Large bodies, one connection per stream, all at once. */
export interface TransferJob extends Endpoint {
  readonly direction: 'upload' | 'download';
  readonly paths: readonly string[];
  readonly headers: string;
  /** Per stream; anything else fails the job. */
  readonly bytes: number;
  readonly chunked: boolean;
  /** Hash what arrives: for a download that is checked, not timed. */
  readonly digest: boolean;
}

export interface TransferResult {
  readonly seconds: number;
  readonly clientCpuSeconds: number;
  readonly sha512: readonly string[];
}

interface Stream {
  readonly head: string;
  /** What to send after the head. */
  readonly body?: { readonly piece: Buffer; readonly count: number; readonly end: string };
  readonly onBody: (piece: Buffer) => void;
}

serveJobs(transfer);

async function transfer(job: TransferJob): Promise<TransferResult> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const sha512 = await Promise.all(
    job.paths.map((path) => (job.direction === 'upload' ? upload : download)(job, path)),
  );
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, clientCpuSeconds: (user + system) / 1e6, sha512 };
}

async function upload(job: TransferJob, path: string): Promise<string> {
  const announced = job.chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${job.bytes}`;
  let answer = '';
  const reader = await exchange(job, {
    head: `PUT ${path} HTTP/1.1\r\n${job.headers}Content-Type: application/octet-stream\r\n${announced}\r\n\r\n`,
    body: {
      piece: job.chunked ? chunkedPiece : piece,
      count: job.bytes / MIB,
      end: job.chunked ? '0\r\n\r\n' : '',
    },
    onBody: (text) => (answer += text.toString('latin1', 0, 300)),
  });
  if (reader.status !== 204) throw new Error(`Wrong answer to PUT ${path}: ${reader.status} ${answer}`);
  return '';
}

async function download(job: TransferJob, path: string): Promise<string> {
  const hash = createHash('sha512');
  const reader = await exchange(job, {
    head: `GET ${path} HTTP/1.1\r\n${job.headers}\r\n`,
    onBody: (bytes) => job.digest && hash.update(bytes),
  });
  if (reader.status !== 200) throw new Error(`Wrong answer to GET ${path}: ${reader.status}`);
  if (reader.bodyBytes !== job.bytes) {
    throw new Error(`GET ${path} sent ${reader.bodyBytes} bytes instead of ${job.bytes}.`);
  }
  return job.digest ? hash.digest('hex') : '';
}

/** Sends one request on its own connection and reads the whole answer. */
function exchange(endpoint: Endpoint, stream: Stream): Promise<ResponseReader> {
  return new Promise((resolve, reject) => {
    const reader = new ResponseReader(stream.onBody);
    const received = (bytes: number, buffer: Uint8Array) => {
      try {
        if (!reader.push(buffer.subarray(0, bytes) as Buffer)) return true;
        resolve(reader);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      socket.destroy();
      return false;
    };
    const socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      // Every read lands in the same memory: the client only counts.
      onread: { buffer: Buffer.allocUnsafe(256 * 1024), callback: received },
    });
    socket.on('error', reject);
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`Nothing happened for ${PATIENCE / 1000} s.`)));
    socket.on('close', () => reject(new Error('The server closed the connection before its answer was complete.')));
    socket.write(stream.head);
    const body = stream.body;
    if (!body) return;
    let sent = 0;
    const more = () => {
      while (sent++ < body.count) if (!socket.write(body.piece)) return;
      socket.off('drain', more);
      if (body.end) socket.write(body.end);
    };
    socket.on('drain', more);
    more();
  });
}
