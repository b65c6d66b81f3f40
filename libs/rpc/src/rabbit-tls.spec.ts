import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Broker, remote } from './broker.js';
import type { RabbitSettings } from './config.js';
import { GREETER, HeldGreeter } from './testing/contract.js';
import { testRabbit, TestBrokers, testSettings } from './testing/rabbit.js';

const brokers = new TestBrokers();
let directory: string;
let server: Server;
let port: number;

const file = (name: string) => join(directory, name);
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });

function makeAuthority(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes', '-newkey', 'rsa:2048'];
  openssl('req', '-x509', ...subject, '-keyout', `${name}.key`, '-out', `${name}.pem`);
}

function makeCertificate(name: string, alternatives: string): void {
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  );
  writeFileSync(file('extensions'), `subjectAltName=${alternatives}\n`);
  const authority = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...authority, '-extfile', 'extensions', '-out', `${name}.pem`);
}

/** TLS in front of the test RabbitMQ, which speaks none; asks for a certificate, and takes those of its authority only. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'glance-tls-'));
  makeAuthority('authority');
  makeAuthority('stranger');
  makeCertificate('broker', 'DNS:broker.example');
  makeCertificate('client', 'DNS:client.example');
  server = createServer(
    {
      key: readFileSync(file('broker.key')),
      cert: readFileSync(file('broker.pem')),
      ca: readFileSync(file('authority.pem')),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      if (!socket.authorized && acceptOnlyClients) return void socket.destroy();
      const target = connect(Number(testRabbit().port || 5672), testRabbit().hostname);
      target.on('error', () => socket.destroy());
      target.on('close', () => socket.destroy());
      socket.on('close', () => target.destroy());
      socket.pipe(target).pipe(socket);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

let acceptOnlyClients = false;

afterEach(async () => {
  acceptOnlyClients = false;
  await brokers.close();
});

afterAll(async () => {
  server.close();
  rmSync(directory, { recursive: true });
});

function overTls(changes: Partial<RabbitSettings>): Broker {
  return brokers.add(testSettings({ ssl: true, ...changes }, `127.0.0.1:${port}`));
}

async function works(broker: Broker): Promise<void> {
  await broker.serve(GREETER, new HeldGreeter());
  expect(await remote(GREETER, broker).greet('you')).toBe('Hello you');
}

async function isRefused(changes: Partial<RabbitSettings>, reason: RegExp): Promise<void> {
  const reasons: unknown[] = [];
  const warn = (_message: string, fields?: { readonly error?: unknown }) => void reasons.push(fields?.error);
  const settings = testSettings({ ssl: true, ...changes }, `127.0.0.1:${port}`);
  const broker = brokers.add(settings, { debug() {}, info() {}, warn, error() {} });
  await vi.waitFor(() => expect(String(reasons[0])).toMatch(reason), { timeout: 5_000 });
  expect(broker.status().connection).toBe('connecting');
}

describe('a TLS connection', () => {
  test('carries calls when the authority of the broker is known', async () => {
    await works(overTls({ sslCaFile: file('authority.pem') }));
  });

  test('is refused when another authority is known', async () => {
    await isRefused({ sslCaFile: file('stranger.pem') }, /certificate/i);
  });

  test('takes any broker when no authority is given', async () => {
    await works(overTls({}));
  });

  test('is refused for another host name, if names are to be compared', async () => {
    await isRefused({ sslCaFile: file('authority.pem'), sslVerifyHostname: true }, /altnames|hostname|IP/i);
  });

  test('shows its own certificate', async () => {
    acceptOnlyClients = true;
    const certificate = { sslCertFile: file('client.pem'), sslKeyFile: file('client.key') };
    await works(overTls({ sslCaFile: file('authority.pem'), ...certificate }));
  });

  test('is refused without a certificate by a broker that wants one', async () => {
    acceptOnlyClients = true;
    await isRefused({ sslCaFile: file('authority.pem') }, /closed|ECONNRESET/i);
  });

  test('says which file it cannot read', async () => {
    await isRefused({ sslCaFile: file('missing.pem') }, /missing\.pem/);
  });
});
