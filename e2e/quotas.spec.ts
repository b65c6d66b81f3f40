import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Keystone, startKeystone } from '../tools/services/keystone.js';
import { freePort } from '../tools/services/ports.js';
import { type Reply, send } from './http.js';
import { type Desk, keystoneClients } from './keystone-clients.js';
import { type Service, startService } from './service.js';
import { tableRows } from './stock-clients.js';

const MIB = 1024 ** 2;
const alice = { user: 'alice', project: 'apples' };
const bob = { user: 'bob', project: 'bananas' };
const registered = { image_size_total: 3, image_stage_total: 2, image_count_total: 10, image_count_uploading: 5 };

let keystone: Keystone;
let service: Service;
let desk: Desk;
let serviceId: string;
const tokens: Record<string, Promise<string>> = {};

beforeAll(async () => {
  const port = await freePort();
  keystone = await startKeystone(`http://127.0.0.1:${port}`);
  serviceId = await idOf('services', 'name=glance');
  await grantReaderOfTheCloud();
  const limits = Object.entries(registered).map(([resource_name, default_limit]) => ({
    service_id: serviceId,
    region_id: 'RegionOne',
    resource_name,
    default_limit,
  }));
  await keystone.api('POST', '/registered_limits', { registered_limits: limits });
  const login = {
    auth_url: keystone.url,
    auth_type: 'password',
    username: 'glance',
    password: keystone.password,
    user_domain_id: 'default',
  };
  service = await startService({
    port,
    settings: { use_keystone_limits: 'true' },
    groups: {
      paste_deploy: { flavor: 'keystone' },
      keystone_authtoken: { ...login, project_name: 'service', project_domain_id: 'default' },
      oslo_limit: {
        ...login,
        system_scope: 'all',
        endpoint_id: await idOf('endpoints', `service_id=${serviceId}&interface=public`),
      },
    },
  });
  desk = keystoneClients(keystone);
}, 240_000);
afterAll(async () => {
  desk.close();
  await service.close();
  await keystone.close();
});

async function idOf(kind: string, query: string): Promise<string> {
  const found = (await keystone.api('GET', `/${kind}?${query}`)) as Record<string, { id: string }[]>;
  return found[kind]![0]!.id;
}

/** What an operator does once: `openstack role add --user glance --system all reader`. */
async function grantReaderOfTheCloud(): Promise<void> {
  const [user, role] = [await idOf('users', 'name=glance'), await idOf('roles', 'name=reader')];
  await keystone.api('PUT', `/system/users/${user}/roles/${role}`);
}

async function as(login: typeof alice, method: string, path: string, body?: string | Buffer): Promise<Reply> {
  const token = (tokens[login.user] ??= keystone.token(login));
  const headers = { 'x-auth-token': await token, 'content-type': 'application/octet-stream' };
  return send(method, service.url + path, { headers, ...(body !== undefined && { body }) });
}

async function image(login: typeof alice): Promise<string> {
  const formats = '{"disk_format": "raw", "container_format": "bare"}';
  return (JSON.parse((await as(login, 'POST', '/v2/images', formats)).body.toString()) as { id: string }).id;
}

describe('unified limits of Keystone', () => {
  it('stop an upload that would exceed them, and let it pass once there is room', async () => {
    const [first, second] = [await image(alice), await image(alice)];
    const upload = (id: string, mebibytes: number) =>
      as(alice, 'PUT', `/v2/images/${id}/file`, randomBytes(mebibytes * MIB));
    expect((await upload(first, 2)).status).toBe(204);
    const refused = await upload(second, 2);
    expect(refused.status).toBe(413);
    expect(refused.body.toString()).toContain('image_size_total');
    const shown = JSON.parse((await as(alice, 'GET', `/v2/images/${second}`)).body.toString()) as object;
    expect(shown).toMatchObject({ status: 'queued', size: null });
    expect((await upload(second, 1)).status).toBe(204);
    expect((await as(alice, 'DELETE', `/v2/images/${first}`)).status).toBe(204);
    expect((await upload(await image(alice), 2)).status).toBe(204);
  });

  it('count from the moment that an operator changes them, for one project', async () => {
    await image(bob);
    const own = { service_id: serviceId, region_id: 'RegionOne', project_id: keystone.project('bananas') };
    await keystone.api('POST', '/limits', {
      limits: [{ ...own, resource_name: 'image_count_total', resource_limit: 1 }],
    });
    expect((await as(bob, 'POST', '/v2/images', '{}')).status).toBe(413);
    expect((await as(alice, 'POST', '/v2/images', '{}')).status).toBe(201);
  });

  it('hold for what is staged', async () => {
    const id = await image(alice);
    expect((await as(alice, 'PUT', `/v2/images/${id}/stage`, randomBytes(3 * MIB))).status).toBe(413);
    expect((await as(alice, 'PUT', `/v2/images/${id}/stage`, randomBytes(MIB))).status).toBe(204);
    const { usage } = JSON.parse((await as(alice, 'GET', '/v2/info/usage')).body.toString()) as {
      usage: Record<string, object>;
    };
    expect(usage).toMatchObject({
      image_size_total: { usage: 3, limit: 3 },
      image_stage_total: { usage: 1, limit: 2 },
      image_count_uploading: { usage: 1, limit: 5 },
    });
  });

  it('glance: shows what a project uses of them', async () => {
    const rows = tableRows(await desk.as(bob).glance('usage'));
    expect(rows).toContainEqual(['image_count_total', '1', '1']);
    expect(rows).toContainEqual(['image_size_total', '3', '0']);
  });
});
