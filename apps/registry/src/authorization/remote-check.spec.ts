import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '@glance/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizationSettings } from '../testing/authorization.js';
import { remoteCheck } from './remote-check.js';

describe('a check by a server', () => {
  let server: Server;
  let url: string;
  const asked: { type: string | undefined; body: string }[] = [];
  const answers: Record<string, [number, string]> = {
    '/yes': [200, 'True'],
    '/quoted': [200, '"True"'],
    '/no': [200, 'False'],
    '/lower': [200, 'true'],
    '/long': [200, 'True'.repeat(1000)],
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (text) => (body += String(text)));
      request.on('end', () => {
        asked.push({ type: request.headers['content-type'], body });
        const [status, text] = answers[request.url!] ?? [200, ''];
        if (request.url !== '/silent') response.writeHead(status).end(text);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const check = remoteCheck({ ...authorizationSettings, remoteTimeout: 0.3 }, silentLogger);
  const target = { name: 'a b&c', owner: 'p' };
  const credentials = { roles: ['member'] };

  it.each([
    ['/yes', true],
    ['/quoted', true],
    ['/no', false],
    ['/lower', false],
    ['/long', false],
    ['/absent', false],
    ['/silent', false],
  ])('that answers as %s does means %j', async (path, allowed) => {
    expect(await check(url + path, target, credentials, 'get_image')).toBe(allowed);
  });

  it('that is not there, or has no address, refuses', async () => {
    expect(await check('http://127.0.0.1:1/', target, credentials, 'get_image')).toBe(false);
    expect(await check('http://', target, credentials, 'get_image')).toBe(false);
  });

  it('sends what is asked as a form of JSON texts, or as JSON', async () => {
    asked.length = 0;
    await check(`${url}/yes`, target, credentials, 'get_image');
    const json = remoteCheck({ ...authorizationSettings, remoteContentType: 'application/json' }, silentLogger);
    await json(`${url}/yes`, target, credentials, 'get_image');
    const [form, document] = asked;
    expect(form!.type).toBe('application/x-www-form-urlencoded');
    const fields = [...new URLSearchParams(form!.body)].map(([name, value]) => [name, JSON.parse(value) as unknown]);
    const question = { rule: 'get_image', target, credentials };
    expect(Object.fromEntries(fields)).toEqual(question);
    expect(document!.type).toBe('application/json');
    expect(JSON.parse(document!.body)).toEqual(question);
  });

  it('does not start with a certificate that is not there', () => {
    const settings = { ...authorizationSettings, remoteSslCaCrtFile: '/nonexistent/ca.pem' };
    expect(() => remoteCheck(settings, silentLogger)).toThrow(/\[oslo_policy\] remote_ssl_ca_crt_file: .*no such file/);
  });
});
