import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Keystone, startKeystone } from '../tools/services/keystone.js';
import { freePort } from '../tools/services/ports.js';
import { run } from './command.js';
import { type Reply, send } from './http.js';
import { type Desk, keystoneClients } from './keystone-clients.js';
import { root, type Service, startService, target } from './service.js';
import { tableRecord, tableRows } from './stock-clients.js';

const people = {
  admin: { user: 'admin', project: 'admin' },
  alice: { user: 'alice', project: 'apples' },
  rita: { user: 'rita', project: 'apples' },
  bob: { user: 'bob', project: 'bananas' },
  carol: { user: 'carol', project: 'cherries' },
  nova: { user: 'nova', project: 'service' },
} as const;
type Person = keyof typeof people;

let keystone: Keystone;
let service: Service;
let desk: Desk;
const tokens = new Map<Person, Promise<string>>();

beforeAll(async () => {
  const port = await freePort();
  keystone = await startKeystone(`http://127.0.0.1:${port}`);
  service = await startService({
    port,
    groups: {
      paste_deploy: { flavor: 'keystone' },
      keystone_authtoken: {
        www_authenticate_uri: 'http://keystone.example.org:5000',
        auth_url: keystone.url,
        auth_type: 'password',
        username: 'glance',
        password: keystone.password,
        project_name: 'service',
        user_domain_id: 'default',
        project_domain_id: 'default',
        service_token_roles_required: 'true',
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

const tokenOf = (person: Person): Promise<string> => {
  const token = tokens.get(person) ?? keystone.token(people[person]);
  tokens.set(person, token);
  return token;
};
const path = (name: string): string => join(desk.directory, name);
const project = (person: Person): string => keystone.project(people[person].project);

async function as(
  person: Person,
  method: string,
  url: string,
  body?: object | string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const type =
    method === 'PATCH'
      ? 'application/openstack-images-v2.1-json-patch'
      : url.endsWith('/file') && 'application/octet-stream';
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  return send(method, service.url + url, {
    headers: { 'x-auth-token': await tokenOf(person), ...(type && { 'content-type': type }), ...headers },
    ...(text !== undefined && { body: text }),
  });
}
const status = async (...request: Parameters<typeof as>): Promise<number> => (await as(...request)).status;
const idOf = (reply: Reply): string => (JSON.parse(reply.body.toString()) as { id: string }).id;

async function imageOf(person: Person, attributes: object = {}): Promise<string> {
  const formats = { disk_format: 'raw', container_format: 'bare' };
  const id = idOf(await as(person, 'POST', '/v2/images', { ...formats, ...attributes }));
  expect(await status(person, 'PUT', `/v2/images/${id}/file`, 'data')).toBe(204);
  return id;
}

describe('a service with Keystone', () => {
  it('tells where to log in, without a token and with one that is not valid', async () => {
    for (const headers of [{}, { 'x-auth-token': 'gAAAAmadeup' }]) {
      const reply = await send('GET', `${service.url}/v2/images`, { headers });
      expect(reply.status).toBe(401);
      expect(reply.headers['www-authenticate']).toBe('Keystone uri="http://keystone.example.org:5000"');
      expect(reply.headers['x-openstack-request-id']).toBeUndefined();
    }
    expect((await send('GET', `${service.url}/versions`)).status).toBe(200);
  });

  it('refuses a token that was revoked before it was first used', async () => {
    const token = await keystone.token(people.carol);
    const headers = { 'x-auth-token': token, 'x-subject-token': token };
    expect((await send('DELETE', `${keystone.url}/v3/auth/tokens`, { headers })).status).toBe(204);
    const reply = await send('GET', `${service.url}/v2/images`, { headers: { 'x-auth-token': token } });
    expect(reply.status).toBe(401);
  });

  it('gives an image to the project of who creates it', async () => {
    const reply = await as('alice', 'POST', '/v2/images', {});
    expect(JSON.parse(reply.body.toString())).toMatchObject({ owner: project('alice'), visibility: 'shared' });
    expect(reply.headers['x-openstack-request-id']).toMatch(/^req-/);
  });

  it('lets everybody do what his roles and his project are for', async () => {
    const image = `/v2/images/${await imageOf('alice', { visibility: 'private' })}`;
    const everybody: Person[] = ['admin', 'alice', 'rita', 'bob', 'nova'];
    const all = (...[method, url, body]: [string, string, object?]): Promise<number[]> =>
      Promise.all(everybody.map((person) => status(person, method, url, body)));
    expect(await all('GET', image)).toEqual([200, 200, 200, 404, 404]);
    expect(await all('GET', `${image}/file`)).toEqual([200, 200, 403, 404, 404]);
    expect(await all('POST', '/v2/images', {})).toEqual([201, 201, 403, 201, 403]);
    expect(await all('GET', '/v2/images')).toEqual([200, 200, 200, 200, 403]);
    const rename = [{ op: 'replace', path: '/name', value: 'x' }];
    expect(await all('PATCH', image, rename)).toEqual([200, 200, 403, 404, 404]);
    const publish = [{ op: 'replace', path: '/visibility', value: 'public' }];
    expect(
      await Promise.all((['rita', 'bob', 'alice'] as const).map((one) => status(one, 'PATCH', image, publish))),
    ).toEqual([403, 404, 403]);
    expect(await status('admin', 'PATCH', image, publish)).toBe(200);
    expect(await all('GET', image)).toEqual([200, 200, 200, 200, 404]);
    expect(await status('bob', 'PATCH', image, rename)).toBe(403);
    expect(await status('bob', 'DELETE', image)).toBe(403);
    expect(await status('alice', 'DELETE', image)).toBe(204);
  });

  it('serves a user on whose behalf a service asks, and no service without its role', async () => {
    const image = `/v2/images/${await imageOf('alice', { visibility: 'private' })}`;
    const [nova, bob] = await Promise.all([tokenOf('nova'), tokenOf('bob')]);
    expect(await status('alice', 'GET', image, undefined, { 'x-service-token': nova })).toBe(200);
    expect(await status('bob', 'GET', image, undefined, { 'x-service-token': nova })).toBe(404);
    expect(await status('alice', 'GET', image, undefined, { 'x-service-token': bob })).toBe(401);
  });

  it('keeps the data of a deactivated image from everybody but administrators', async () => {
    const image = `/v2/images/${await imageOf('admin', { visibility: 'public', owner: project('alice') })}`;
    expect(await status('bob', 'POST', `${image}/actions/deactivate`)).toBe(403);
    expect(await status('alice', 'POST', `${image}/actions/deactivate`)).toBe(204);
    const download = (): Promise<number[]> =>
      Promise.all((['admin', 'alice', 'bob'] as const).map((person) => status(person, 'GET', `${image}/file`)));
    expect(await download()).toEqual([200, 403, 403]);
    expect(await status('alice', 'POST', `${image}/actions/reactivate`)).toBe(204);
    expect(await download()).toEqual([200, 200, 200]);
  });

  it('follows the policy file, from the moment that it changes', async () => {
    const image = `/v2/images/${await imageOf('alice', { visibility: 'private' })}`;
    const policy = join(service.configFile, '..', 'policy.yaml');
    writeFileSync(policy, '"download_image": "role:reader and project_id:%(project_id)s"\n');
    await expect.poll(() => status('rita', 'GET', `${image}/file`), { timeout: 10_000 }).toBe(200);
    writeFileSync(policy, '"download_image": !\n');
    await expect.poll(() => status('admin', 'GET', `${image}/file`), { timeout: 10_000 }).toBe(403);
    writeFileSync(policy, '');
    await expect.poll(() => status('admin', 'GET', `${image}/file`), { timeout: 10_000 }).toBe(200);
  });

  it('never writes a token or a password to its log', async () => {
    const secrets = [keystone.password, ...(await Promise.all([...tokens.values()]))];
    const output = service.process.log();
    expect(output).toContain('/v2/images');
    for (const secret of secrets) expect(output.includes(secret)).toBe(false);
  });
});

describe('clients that log in', { timeout: 600_000 }, () => {
  it('openstack: create, show, list, save, and no sight of it for others', async () => {
    const data = randomBytes(200_000);
    writeFileSync(path('data'), data);
    const alice = desk.as(people.alice);
    await alice.openstack(
      ...['image', 'create', 'hers', '--file', path('data'), '--disk-format', 'raw', '--container-format', 'bare'],
      ...['--private'],
    );
    const shown = (await alice.openstackJson('image', 'show', 'hers')) as Record<string, unknown>;
    expect(shown).toMatchObject({ status: 'active', owner: project('alice'), visibility: 'private' });
    await alice.openstack('image', 'save', '--file', path('saved'), 'hers');
    expect(readFileSync(path('saved')).equals(data)).toBe(true);
    const bob = desk.as(people.bob);
    expect(JSON.stringify(await bob.openstackJson('image', 'list'))).not.toContain(shown['id']);
    expect((await bob.openstackFails('image', 'show', String(shown['id']))).code).not.toBe(0);
  });

  it('glance: a project shares an image, another accepts it, a third never sees it', async () => {
    const [alice, bob, carol] = [desk.as(people.alice), desk.as(people.bob), desk.as(people.carol)];
    writeFileSync(path('shared'), 'shared data');
    const { id } = tableRecord(
      await alice.glance(
        ...['image-create', '--name', 'ours', '--file', 'shared', '--disk-format', 'raw'],
        ...['--container-format', 'bare', '--visibility', 'shared'],
      ),
    );
    await alice.glance('member-create', id!, project('bob'));
    const names = async (): Promise<string> => bob.glance('image-list');
    expect(await names()).not.toContain(id);
    const waiting = tableRows(await bob.glance('image-list', '--visibility', 'shared', '--member-status', 'pending'));
    expect(waiting).toContainEqual([id, 'ours']);
    expect((await alice.glanceFails('member-update', id!, project('bob'), 'accepted')).stderr).toMatch(/403|Forbidden/);
    await bob.glance('member-update', id!, project('bob'), 'accepted');
    expect(await names()).toContain(id);
    await bob.glance('image-download', '--file', 'back', id!);
    expect(readFileSync(path('back'), 'utf8')).toBe('shared data');
    expect((await carol.glanceFails('image-show', id!)).stderr).toMatch(/404|No image found/);

    await bob.openstack('image', 'set', '--reject', id!);
    expect(await names()).not.toContain(id);
    await alice.openstack('image', 'remove', 'project', id!, project('bob'));
    expect((await bob.glanceFails('image-show', id!)).stderr).toMatch(/404|No image found/);
  });

  it('openstack: an administrator gives an image to a project, which shares it with another', async () => {
    const [admin, alice, bob] = [desk.as(people.admin), desk.as(people.alice), desk.as(people.bob)];
    await admin.openstack('image', 'create', 'given', '--project', 'apples', '--shared', '--tag', 'given');
    const names = async (desk: typeof bob, ...filters: string[]): Promise<unknown[]> =>
      ((await desk.openstackJson('image', 'list', '--tag', 'given', ...filters)) as { Name: string }[]).map(
        ({ Name }) => Name,
      );
    expect(await names(admin, '--project', 'apples', '--shared')).toEqual(['given']);
    await alice.openstack('image', 'add', 'project', 'given', project('bob'));
    expect(await names(bob, '--shared', '--member-status', 'pending')).toEqual(['given']);
    const { id } = (await alice.openstackJson('image', 'show', 'given')) as { id: string };
    await bob.openstack('image', 'set', '--accept', id);
    expect(await alice.openstackJson('image', 'member', 'list', 'given')).toMatchObject([{ Status: 'accepted' }]);
    expect(await names(bob)).toEqual(['given']);
    await bob.openstack('image', 'set', '--pending', id);
    expect(await names(bob)).toEqual([]);
  });

  it('openstack: who may only read is told that he may not create', async () => {
    const { code, stderr } = await desk.as(people.rita).openstackFails('image', 'create', 'not-hers');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/403|Forbidden|add_image/);
  });
});

describe.runIf(target === 'ours')('glance doctor', () => {
  it('finds the service by the catalogue, and says so if the configuration means another place', async () => {
    const doctor = (env: Record<string, string> = {}) =>
      run(join(root, 'bin/glance'), ['--config-file', service.configFile, 'doctor', 'keystone'], {
        env: { ...process.env, ...env },
        failure: 'answer',
      });
    const { code, stdout } = await doctor();
    expect(stdout).not.toContain('WRONG');
    expect(stdout).toContain(`the public endpoint of the catalogue, ${service.url}, leads to an image service`);
    expect(code).toBe(0);
    const elsewhere = await doctor({ OS_DEFAULT__PUBLIC_ENDPOINT: 'https://images.example' });
    expect(elsewhere.stdout).toContain('mend it: openstack endpoint set --url https://images.example ');
    expect(elsewhere.code).toBe(1);
  });
});
