import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Finding } from '@glance/domain';
import { freePort } from '../../../tools/services/ports.js';
import { examineKeystone } from './examine-keystone.js';
import type { KeystoneAccount } from './keystone-account.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function accountAt(authUrl: string): KeystoneAccount {
  return {
    group: '[keystone_authtoken]',
    authType: 'password',
    authUrl,
    username: 'glance',
    password: 'hunter2',
    projectName: 'service',
    insecure: false,
    httpConnectTimeout: 5,
    httpRequestMaxRetries: 0,
  };
}

const look = (url: string, publicEndpoint?: string): Promise<Finding[]> =>
  Array.fromAsync(examineKeystone(accountAt(url), publicEndpoint));
const problems = (findings: readonly Finding[]): string[] =>
  findings.flatMap(({ problem, remedy }) => (problem === undefined ? [] : [`${problem} → ${remedy}`]));

/** A Keystone that lets everybody in. */
const keystone = (token: object, headers: Record<string, string> = {}): Promise<string> =>
  serve((_, response) => {
    response.writeHead(201, { 'x-subject-token': 'x', ...headers }).end(JSON.stringify({ token }));
  });
const admin = { roles: [{ name: 'admin' }] };
const imagesAt = (url: string): object => ({
  type: 'image',
  endpoints: [{ id: 'e1', interface: 'public', url }],
});

describe('a look at Keystone', () => {
  it('says that nothing answers, or something else than Keystone', async () => {
    expect(problems(await look('http://127.0.0.1:1'))).toEqual([
      expect.stringMatching(/auth_url: Keystone does not answer at .*ECONNREFUSED.* → curl http:\/\/127.0.0.1:1/),
    ]);
    const other = await serve((_, response) => void response.writeHead(404).end());
    expect(problems(await look(other))).toEqual([expect.stringMatching(/is not the Identity API v3 \(404\)/)]);
  });

  it('says that no client finds the service, and that the clock is wrong', async () => {
    const url = await keystone(admin, { date: new Date(Date.now() - 60_000).toUTCString() });
    expect(problems(await look(url))).toEqual([
      expect.stringMatching(/the clock is (59|60|61) seconds ahead of Keystone's → chronyc makestep/),
      expect.stringMatching(/has no endpoint of the type image.* → openstack service create --name glance image\n/),
    ]);
  });

  it('says where the catalogue leads instead of to images, or to another place than the configuration', async () => {
    const images = await serve((_, response) => void response.writeHead(300).end('{"versions": []}'));
    const other = await serve((_, response) => void response.end('<html>'));
    const leading = (url: string): Promise<string> => keystone({ ...admin, catalog: [imagesAt(url)] });
    expect(problems(await look(await leading(`${images}/v2`), `${images}/`))).toEqual([]);
    expect(problems(await look(await leading(images), 'https://images.example'))).toEqual([
      expect.stringMatching(/but public_endpoint https.* → openstack endpoint set --url https:\/\/images.example e1/),
    ]);
    expect(problems(await look(await leading(other)))).toEqual([
      expect.stringMatching(/is something else than an image service/),
    ]);
    expect(problems(await look(await leading(`http://127.0.0.1:${await freePort()}`)))).toEqual([
      expect.stringMatching(/does not answer \(ECONNREFUSED\)/),
    ]);
  });
});
