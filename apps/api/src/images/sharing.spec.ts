import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const unknown = '/v2/images/00000000-0000-4000-8000-00000000dead';

describe('tags', () => {
  it('come and go', async () => {
    const path = await service.create();
    expect((await service.ask('PUT', `${path}/tags/gr%C3%BCn%2Fblau`)).status).toBe(204);
    expect((await service.ask('PUT', `${path}/tags/gr%C3%BCn%2Fblau`)).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ tags: ['grün/blau'] });
    expect((await service.ask('DELETE', `${path}/tags/gr%C3%BCn%2Fblau`)).status).toBe(204);
    expect((await service.ask('DELETE', `${path}/tags/gr%C3%BCn%2Fblau`)).status).toBe(404);
  });

  it.each([
    ['too long a tag', 'PUT', `/tags/${'x'.repeat(256)}`, 400],
    ['a tag that cannot be stored', 'PUT', '/tags/%F0%9F%98%80', 400],
  ])('refuses %s', async (_what, method, suffix, status) => {
    expect((await service.ask(method, (await service.create()) + suffix)).status).toBe(status);
  });

  it('takes no body', async () => {
    expect((await service.ask('PUT', `${await service.create()}/tags/x`, { body: '{}' })).status).toBe(400);
  });

  it('needs an image', async () => {
    expect((await service.ask('PUT', `${unknown}/tags/x`)).status).toBe(404);
  });
});

describe('actions', () => {
  it('take an image out of use and back', async () => {
    const path = await service.upload('data');
    expect((await service.ask('POST', `${path}/actions/deactivate`)).status).toBe(204);
    expect((await service.ask('POST', `${path}/actions/deactivate`)).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'deactivated' });
    expect((await service.ask('POST', `${path}/actions/reactivate`)).status).toBe(204);
    expect(await service.show(path)).toMatchObject({ status: 'active' });
  });

  it('refuse an image that was never in use, a body, and an image that is not there', async () => {
    const path = await service.create();
    expect((await service.ask('POST', `${path}/actions/deactivate`)).status).toBe(403);
    expect((await service.ask('POST', `${path}/actions/deactivate`, { body: '{}' })).status).toBe(400);
    expect((await service.ask('POST', `${unknown}/actions/reactivate`)).status).toBe(404);
  });
});

describe('members', () => {
  it('are added, asked, and removed', async () => {
    const path = await service.create({ owner: 'alice' });
    const added = await service.ask('POST', `${path}/members`, { body: { member: 'bob' } });
    expect(added.status).toBe(200);
    expect(added.json()).toMatchObject({ member_id: 'bob', status: 'pending', schema: '/v2/schemas/member' });
    const headers = { 'x-project': 'bob' };
    const accepted = await service.ask('PUT', `${path}/members/bob`, { body: { status: 'accepted' }, headers });
    expect(accepted.json()).toMatchObject({ status: 'accepted' });
    expect((await service.ask('GET', `${path}/members`)).json()).toMatchObject({
      members: [{ member_id: 'bob', status: 'accepted' }],
      schema: '/v2/schemas/members',
    });
    expect((await service.ask('GET', `${path}/members/bob`)).status).toBe(200);
    expect((await service.ask('DELETE', `${path}/members/bob`)).status).toBe(204);
    expect((await service.ask('GET', `${path}/members/bob`)).status).toBe(404);
  });

  it.each([
    ['no member', {}, 400],
    ['an empty member', { member: '' }, 400],
    ['a member that is no text', { member: 1 }, 400],
    ['a member that is too long', { member: 'x'.repeat(256) }, 400],
    ['a member that cannot be stored', { member: '😀' }, 400],
    ['a list', ['bob'], 400],
  ])('are refused: %s', async (_what, body, status) => {
    expect((await service.ask('POST', `${await service.create()}/members`, { body })).status).toBe(status);
  });

  it('are refused twice, with an unknown status, and for an image that is not shared', async () => {
    const path = await service.create({ owner: 'alice' });
    const add = () => service.ask('POST', `${path}/members`, { body: { member: 'bob' } });
    expect((await add()).status).toBe(200);
    expect((await add()).status).toBe(409);
    expect((await service.ask('PUT', `${path}/members/bob`, { body: { status: 'maybe' } })).status).toBe(400);
    expect((await service.ask('PUT', `${path}/members/carol`, { body: { status: 'accepted' } })).status).toBe(404);
    const open = await service.create({ visibility: 'public' });
    expect((await service.ask('POST', `${open}/members`, { body: { member: 'bob' } })).status).toBe(403);
  });
});
