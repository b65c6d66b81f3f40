import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What becomes of one request. */
type Fault =
  | { readonly kind: 'answer'; readonly status: number }
  /** Nobody ever answers. */
  | { readonly kind: 'silence' }
  /** The connection breaks after so many bytes of the request, or of the answer. */
  | { readonly kind: 'cutRequest' | 'cutAnswer'; readonly after: number }
  /** The server does it, and its answer is lost. */
  | { readonly kind: 'loseAnswer' };

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FaultyProxy {
  readonly url: string;
  /** Every request so far. */
  readonly requests: Seen[];
  /** Says what is to go wrong with a request, if anything; until it is told otherwise. */
  breakWith(choose: (request: Seen) => Fault | undefined): void;
  close(): Promise<void>;
}

/** A proxy to the server at `target`, with a certificate for 127.0.0.1 if one is given. */
export async function faultyProxy(target: string, tls?: Certificate): Promise<FaultyProxy> {
  const requests: Seen[] = [];
  let choose: (request: Seen) => Fault | undefined = () => undefined;
  const handle = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const seen = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers };
    requests.push(seen);
    pass(target, incoming, answer, choose(seen));
  };
  const server = tls ? createTlsServer({ key: tls.key, cert: tls.certificate }, handle) : createServer(handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    breakWith: (next) => (choose = next),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function pass(target: string, incoming: IncomingMessage, answer: ServerResponse, fault: Fault | undefined): void {
  if (fault?.kind === 'silence') return;
  if (fault?.kind === 'answer') {
    incoming.resume().on('end', () => answer.writeHead(fault.status).end());
    return;
  }
  const { hostname, port } = new URL(target);
  const { method, url: path, headers } = incoming;
  const outgoing = httpRequest({ hostname, port, method, path, headers }, (received) => {
    if (fault?.kind === 'loseAnswer') return answer.destroy();
    answer.writeHead(received.statusCode!, received.headers);
    cutting(received, fault?.kind === 'cutAnswer' ? fault.after : Infinity, answer, () => answer.destroy());
  });
  outgoing.on('error', () => answer.destroy());
  const cut = fault?.kind === 'cutRequest' ? fault.after : Infinity;
  cutting(incoming, cut, outgoing, () => {
    outgoing.destroy();
    incoming.destroy();
  });
}

function cutting(from: IncomingMessage, after: number, to: NodeJS.WritableStream, cut: () => void): void {
  let left = after;
  from.on('data', (chunk: Buffer) => {
    if (left <= 0) return;
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    const onward = (): void => {
      if (left <= 0) cut();
      else from.resume();
    };
    from.pause();
    to.write(piece, onward);
  });
  from.on('end', () => to.end());
  from.on('error', cut);
}

export interface Certificate {
  readonly key: Buffer;
  readonly certificate: Buffer;
  /** Of the file with the certificate, which is its own authority. */
  readonly path: string;
}

/** A new certificate for 127.0.0.1. */
export function newCertificate(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'glance-certificate-'));
  const [key, path] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', path], { stdio: 'ignore' });
  return { key: readFileSync(key), certificate: readFileSync(path), path };
}
