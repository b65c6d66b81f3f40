import type { Readers } from '@glance/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

const owner = { 'x-project': 'owner' };
let service: TestService;
let told: Readers[];

beforeEach(async () => {
  told = [];
  service = await startService();
  service.driver.share = async (_, readers) => {
    told.push(readers);
  };
});
afterEach(() => service.close());

async function uploaded(): Promise<string> {
  const body = { disk_format: 'raw', container_format: 'bare' };
  const path = (await service.ask('POST', '/v2/images', { body, headers: owner })).json<{ self: string }>().self;
  const headers = { ...owner, 'content-type': 'application/octet-stream' };
  await service.ask('PUT', `${path}/file`, { headers, body: 'bytes' });
  return path;
}

describe('a store that others can read without the service', () => {
  it('is told who may, after an upload and whenever that changes', async () => {
    const path = await uploaded();
    expect(told).toEqual([{ everybody: false, projects: [] }]);
    await service.ask('POST', `${path}/members`, { headers: owner, body: { member: 'friend' } });
    await service.ask('DELETE', `${path}/members/friend`, { headers: owner });
    const patch = [{ op: 'replace', path: '/visibility', value: 'community' }];
    const type = 'application/openstack-images-v2.1-json-patch';
    await service.ask('PATCH', path, { headers: { ...owner, 'content-type': type }, body: patch });
    await service.ask('PATCH', path, {
      headers: { ...owner, 'content-type': type },
      body: [{ op: 'add', path: '/color', value: 'red' }],
    });
    expect(told.slice(1)).toEqual([
      { everybody: false, projects: ['friend'] },
      { everybody: false, projects: [] },
      { everybody: true, projects: [] },
    ]);
  });

  it('may fail, and the change stands', async () => {
    const path = await uploaded();
    service.driver.share = () => Promise.reject(new Error('The store is away.'));
    const created = await service.ask('POST', `${path}/members`, { headers: owner, body: { member: 'friend' } });
    expect(created.status).toBe(200);
  });
});
