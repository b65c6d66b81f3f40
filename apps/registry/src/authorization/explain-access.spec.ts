import { anonymousCaller, type Caller, silentLogger } from '@glance/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizationSettings } from '../testing/authorization.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, TestRegistry } from '../testing/registry.js';
import { explainAccess, type Verdict } from './explain-access.js';

describe('an explanation of a permission', () => {
  let registry: TestRegistry;
  let privateId: string;
  let publicId: string;
  beforeAll(async () => {
    registry = await TestRegistry.on(databaseKinds[0]!);
    const images = registry.images();
    privateId = (await images.create(alice, { visibility: 'private' })).id;
    publicId = (await images.create(admin, { owner: 'alice', visibility: 'public' })).id;
  });
  afterAll(() => registry.close());

  const ask = (rule: string, caller: Caller, imageId?: string): Promise<Verdict> =>
    explainAccess(registry.database, authorizationSettings, silentLogger, { rule, caller, imageId });

  it('names the checks that allowed', async () => {
    expect(await ask('delete_image', alice, privateId)).toMatchObject({
      outcome: 'allowed',
      source: 'default',
      because: ['role:member', 'project_id:%(project_id)s = project_id:alice'],
    });
    expect(await ask('add_image', alice)).toMatchObject({ outcome: 'allowed' });
  });

  it('names the checks that refused', async () => {
    expect(await ask('delete_image', bob, publicId)).toMatchObject({
      outcome: 'refused',
      because: ['rule:context_is_admin > role:admin', 'project_id:%(project_id)s = project_id:alice'],
    });
    const nobody = anonymousCaller('req-1');
    expect(await ask('delete_image', nobody, publicId)).toMatchObject({
      outcome: 'refused',
      because: ['nobody is logged in'],
    });
  });

  it('says that a caller does not see the image', async () => {
    expect(await ask('delete_image', bob, privateId)).toMatchObject({ outcome: 'hidden', rule: 'get_image' });
  });

  it('is not given for what does not exist', async () => {
    await expect(ask('fly', alice)).rejects.toThrow('There is no policy rule "fly".');
    await expect(ask('get_image', admin, 'none')).rejects.toThrow('There is no image none.');
  });
});
