import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keystoneSettings } from '../testing/keystone-settings.js';
import { startService, type TestService } from '../testing/service.js';
import { testSettings } from '../testing/settings.js';
import { makeSigner, type Signer } from '../testing/signer.js';
import { chunked, octets, pattern, put, raw } from '../testing/uploading.js';
import { type WebServer, webServer } from '../testing/web-server.js';

const data = pattern(3_000_000);
const token = { 'x-auth-token': 'alice' };
const keyTypes = [
  'RSA-PSS',
  'DSA',
  'ECC_SECP384R1',
  'ECC_SECP521R1',
  'ECC_SECT409K1',
  'ECC_SECT409R1',
  'ECC_SECT571K1',
  'ECC_SECT571R1',
];

let directory: string;
let signers: Readonly<Record<string, Signer>>;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'glance-signatures-'));
  signers = Object.fromEntries(keyTypes.map((type) => [type, makeSigner(directory, type)]));
  const old = makeSigner(directory, 'RSA-PSS', { days: -1, name: 'old' });
  writeFileSync(join(directory, 'old.pem'), old.certificate);
  writeFileSync(join(directory, 'broken.pem'), 'certificate');
  for (const type of keyTypes) writeFileSync(join(directory, `${type}.pem`), signers[type]!.certificate);
});
afterAll(() => rmSync(directory, { recursive: true }));

const signed = (keyType: string, hashMethod: string, changes: Record<string, string> = {}) => ({
  ...raw,
  img_signature: signers[keyType]!.sign(data, hashMethod),
  img_signature_hash_method: hashMethod,
  img_signature_key_type: keyType,
  img_signature_certificate_uuid: keyType,
  ...changes,
});

describe('with certificates in a directory,', () => {
  let service: TestService;
  beforeAll(async () => {
    const keyManager = { ...testSettings().keyManager, backend: 'directory', certificateDirectory: directory };
    service = await startService({ settings: { keyManager }, stores: ['second'] });
  });
  afterAll(() => service.close());

  const staysEmpty = async (path: string): Promise<void> => {
    expect(await service.show(path)).toMatchObject({ status: 'queued', size: null, checksum: null });
    expect([...service.driver.images.keys(), ...service.drivers['second']!.images.keys()]).not.toContain(
      `memory://${path.split('/').at(-1)!}`,
    );
  };
  const outcome = async (path: string): Promise<{ status: string; message: string }> => {
    const newest = async () =>
      (await service.ask('GET', `${path}/tasks`)).json<{ tasks: { status: string; message: string }[] }>().tasks[0]!;
    await expect.poll(newest, { timeout: 20_000 }).toMatchObject({
      status: expect.stringMatching(/success|failure/) as string,
    });
    return newest();
  };

  const hashMethods = ['SHA-224', 'SHA-256', 'SHA-384', 'SHA-512'];
  it.each([
    ...hashMethods.map((hash) => ['RSA-PSS', hash]),
    ...keyTypes.slice(1).map((type, index) => [type, hashMethods[index % 4]!]),
  ])('%s with %s: data that is signed is stored, any other is not', async (keyType, hash) => {
    const path = await service.create(signed(keyType, hash));
    const other = Buffer.from(data);
    other[2_000_000]! ^= 1;
    const refused = await put(service, path, chunked(other));
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining('Signature verification for the image failed'),
    ]);
    await staysEmpty(path);
    expect((await put(service, path, chunked(data))).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'active', size: data.length });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['a hash method', { img_signature_hash_method: 'MD5' }, /img_signature_hash_method is none of SHA-224/],
    ['a key type', { img_signature_key_type: 'RSA' }, /img_signature_key_type is none of RSA-PSS, DSA, ECC_/],
    ['a signature', { img_signature: 'no base64!' }, /img_signature is not in base64/],
    ['a signature of nothing', { img_signature: 'AAAA' }, /does not have this signature/],
    ['a certificate', { img_signature_certificate_uuid: 'nowhere' }, /no certificate nowhere/],
    ['a path', { img_signature_certificate_uuid: '../signer' }, /not a UUID/],
    ['the key of another type', { img_signature_certificate_uuid: 'DSA' }, /not of the type RSA-PSS/],
    [
      'another curve',
      { img_signature_key_type: 'ECC_SECP521R1', img_signature_certificate_uuid: 'ECC_SECP384R1' },
      /not of the type/,
    ],
    ['a file that is no certificate', { img_signature_certificate_uuid: 'broken' }, /not in PEM/],
    ['a certificate that has run out', { img_signature_certificate_uuid: 'old' }, /valid from 20.* to 20/],
  ])('%s that is wrong is named', async (_, changes, message) => {
    const path = await service.create(signed('RSA-PSS', 'SHA-256', changes));
    const { status, text } = await put(service, path, data);
    expect([status, text]).toEqual([400, expect.stringMatching(message)]);
    await staysEmpty(path);
  });

  it('RSA-PSS with less salt than Glance wants is refused, and the message says so', async () => {
    const signature = signers['RSA-PSS']!.sign(data, 'SHA-256', 'digest');
    const path = await service.create(signed('RSA-PSS', 'SHA-256', { img_signature: signature }));
    expect((await put(service, path, data)).text).toContain('longest salt');
  });

  it('an image that has not all four properties is not signed', async () => {
    const { img_signature: _, ...three } = signed('RSA-PSS', 'SHA-256');
    const path = await service.create(three);
    expect((await put(service, path, 'anything')).status).toBe(204);
  });

  it('an import stores data that is signed', async () => {
    const path = await service.create(signed('RSA-PSS', 'SHA-256'));
    await service.ask('PUT', `${path}/stage`, { headers: octets, body: data });
    const body = JSON.stringify({ method: { name: 'glance-direct' }, all_stores: true });
    expect((await service.ask('POST', `${path}/import`, { body })).status).toBe(202);
    expect(await outcome(path)).toMatchObject({ status: 'success' });
    expect(await service.show(path)).toMatchObject({ status: 'active', stores: 'memory,second' });
  });

  it('an import of other data fails, with a cause, and leaves nothing in any store', async () => {
    const path = await service.create(signed('DSA', 'SHA-256'));
    await service.ask('PUT', `${path}/stage`, { headers: octets, body: 'something else' });
    const body = JSON.stringify({ method: { name: 'glance-direct' }, all_stores: true });
    await service.ask('POST', `${path}/import`, { body });
    expect(await outcome(path)).toMatchObject({
      status: 'failure',
      message: expect.stringMatching(/inspecting the data: Signature verification for the image failed/) as string,
    });
    await staysEmpty(path);
  });

  it('an import whose certificate is not there is refused at once', async () => {
    const path = await service.create(signed('DSA', 'SHA-256', { img_signature_certificate_uuid: 'nowhere' }));
    await service.ask('PUT', `${path}/stage`, { headers: octets, body: data });
    const body = JSON.stringify({ method: { name: 'glance-direct' } });
    const { status, text } = await service.ask('POST', `${path}/import`, { body });
    expect([status, text]).toEqual([400, expect.stringContaining('no certificate nowhere')]);
    expect(await service.show(path)).toMatchObject({ status: 'uploading' });
  });
});

describe('with certificates in Barbican,', () => {
  let cloud: WebServer;
  let service: TestService;
  const id = '7d7c8d5e-0c1b-4b8f-9a53-3a9a5fbb8c11';
  let broken = false;

  /** Keystone's catalogue and Barbican, for those who have a token. */
  beforeAll(async () => {
    cloud = await webServer((request, response) => {
      const url = `http://127.0.0.1:${cloud.port}`;
      const paths: Readonly<Record<string, [string, string]>> = {
        '/v3/auth/catalog': [
          'application/json',
          JSON.stringify({
            catalog: [
              {
                type: 'key-manager',
                endpoints: [{ interface: 'internal', region_id: 'there', url: 'http://192.0.2.1' }],
              },
              { type: 'key-manager', endpoints: [{ interface: 'internal', region_id: 'here', url: `${url}/keys` }] },
            ],
          }),
        ],
        [`/keys/v1/secrets/${id}`]: [
          'application/json',
          JSON.stringify({ secret_type: 'certificate', content_types: { default: 'application/octet-stream' } }),
        ],
        [`/keys/v1/secrets/${id}/payload`]: ['application/octet-stream', signers['RSA-PSS']!.certificate],
        '/keys/v1/secrets/opaque': ['application/json', '{"secret_type": "opaque"}'],
      };
      const { accept } = request.headers;
      const found = paths[request.url ?? ''];
      const known = request.headers['x-auth-token'] === 'alice';
      const readable = found && [found[0], undefined].includes(accept);
      response.statusCode = broken ? 503 : !known ? 401 : !found ? 404 : readable ? 200 : 406;
      response.end(response.statusCode === 200 ? found![1] : '{}');
    });
    const keyManager = {
      ...testSettings().keyManager,
      barbicanEndpointType: 'internal',
      barbicanRegionName: 'here',
    } as const;
    const keystone = { ...keystoneSettings, authUrl: `http://127.0.0.1:${cloud.port}`, httpRequestMaxRetries: 0 };
    service = await startService({ settings: { keyManager, keystone } });
  });
  afterAll(async () => {
    await service.close();
    await cloud.close();
  });
  const create = (uuid = id) => service.create(signed('RSA-PSS', 'SHA-256', { img_signature_certificate_uuid: uuid }));

  it('they are asked for with the token of whoever uploads', async () => {
    const path = await create();
    expect((await put(service, path, data, { ...octets, ...token })).status).toBe(204);
    expect(cloud.requests.map(({ url, headers }) => [url, headers['x-auth-token']])).toEqual([
      ['/v3/auth/catalog', 'alice'],
      [`/keys/v1/secrets/${id}`, 'alice'],
      [`/keys/v1/secrets/${id}/payload`, 'alice'],
    ]);
  });

  it('an import needs no token once it was asked for', async () => {
    const path = await create();
    await service.ask('PUT', `${path}/stage`, { headers: octets, body: data });
    const body = JSON.stringify({ method: { name: 'glance-direct' } });
    await service.ask('POST', `${path}/import`, { body, headers: token });
    await expect.poll(() => service.show(path)).toMatchObject({ status: 'active' });
  });

  it.each([
    ['no token', id, {}, 400, /sends no token/],
    ['a token that is not valid', id, { 'x-auth-token': 'bob' }, 401, /log in again/],
    ['a certificate that is not there', 'nowhere', token, 400, /nowhere cannot be had: there is none/],
    ['a secret that is no certificate', 'opaque', token, 400, /opaque is no certificate/],
  ])('with %s nothing is stored', async (_, uuid, headers, expected, message) => {
    const path = await create(uuid);
    const { status, text } = await put(service, path, data, { ...octets, ...headers });
    expect([status, text]).toEqual([expected, expect.stringMatching(message)]);
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
  });

  it('one that does not answer is a reason to try again, not to accept', async () => {
    const path = await create();
    broken = true;
    expect((await put(service, path, data, { ...octets, ...token })).status).toBe(503);
    expect(await service.show(path)).toMatchObject({ status: 'queued' });
    broken = false;
    expect((await put(service, path, data, { ...octets, ...token })).status).toBe(204);
  });
});
