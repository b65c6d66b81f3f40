import { glanceRules, Policy } from '@glance/policy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  anonymousCaller,
  type Caller,
  type Image,
  type Images,
  isServiceError,
  unauthenticatedCaller,
} from '@glance/domain';
import { ImagesInDatabase } from '../images/images-in-database.js';
import { MembersInDatabase } from '../members.js';
import { authorizationWith } from '../testing/authorization.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, formats, registrySettings, TestRegistry } from '../testing/registry.js';
import { Authorization } from './authorization.js';
import { imageTarget, seenTarget } from './target.js';

const nobody = anonymousCaller('req-1');
const cloud: Caller = { ...callerOf(null, ['admin', 'member', 'reader']), systemScope: true };
const domain: Caller = { ...callerOf(null, ['admin', 'member', 'reader']), domainScope: true };

describe('authorization', () => {
  let registry: TestRegistry;
  let images: Images;
  const imagesBy = (rules: Record<string, string>, authorization = authorizationWith(rules)): ImagesInDatabase =>
    new ImagesInDatabase(registry.database, registrySettings, () => registry.now, undefined, authorization);
  beforeAll(async () => {
    registry = await TestRegistry.on(databaseKinds[0]!);
    images = imagesBy({});
  });
  afterAll(() => registry.close());

  const outcome = (attempt: Promise<unknown>): Promise<unknown> =>
    attempt.then(
      () => 'done',
      (error: unknown) => (isServiceError(error) ? error.code : error),
    );
  const ids = async (caller: Caller, from = images, limit = 1000): Promise<string[]> =>
    (await from.list(caller, { filters: [], sort: [], limit, visibility: 'all' })).images.map(({ id }) => id);

  it('shows public images to who is not logged in, and lets him do nothing', async () => {
    await registry.empty();
    const [open, community, shared] = await Promise.all(
      (['public', 'community', 'shared'] as const).map((visibility) =>
        images.create(admin, { owner: 'alice', visibility, ...formats }),
      ),
    );
    expect(await ids(nobody)).toEqual([open!.id]);
    const listed = (visibility: 'private' | 'community' | 'shared' | 'public') =>
      images.list(nobody, { filters: [], sort: [], limit: 9, visibility }).then((page) => page.images.length);
    expect(await Promise.all((['public', 'community', 'shared', 'private'] as const).map(listed))).toEqual([
      1, 0, 0, 0,
    ]);
    expect((await images.show(nobody, open!.id)).id).toBe(open!.id);
    expect(await outcome(images.show(nobody, community!.id))).toBe('NotFound');
    expect(await outcome(images.show(nobody, shared!.id))).toBe('NotFound');
    expect(await outcome(images.create(nobody, {}))).toBe('Forbidden');
    const attempts = [
      images.update(nobody, open!.id, []),
      images.beginDelete(nobody, open!.id),
      images.beginUpload(nobody, open!.id, { store: 's', size: 1 }),
      images.beginDownload(nobody, open!.id),
      images.deactivate(nobody, open!.id),
    ];
    expect(await Promise.all(attempts.map(outcome))).toEqual(Array(5).fill('Forbidden'));
    expect(await outcome(images.beginDelete(nobody, shared!.id))).toBe('NotFound');
  });

  it('lets who is not logged in change nothing, whatever the rules say', async () => {
    const lax = imagesBy(Object.fromEntries(glanceRules.map(({ name }) => [name, '@'])));
    const open = await lax.create(admin, { visibility: 'public' });
    expect(await outcome(lax.create(nobody, {}))).toBe('Forbidden');
    expect(await outcome(lax.update(nobody, open.id, []))).toBe('Forbidden');
    expect(await outcome(lax.beginDownload(nobody, open.id))).toBe('done');
  });

  it('refuses tokens that are not for a project, unless scopes are not enforced', async () => {
    const image = await images.create(alice, { visibility: 'private' });
    for (const caller of [cloud, domain]) {
      expect(await outcome(images.show(caller, image.id))).toBe('Forbidden');
      expect(await outcome(images.list(caller, { filters: [], sort: [], limit: 1 }))).toBe('Forbidden');
      expect(await outcome(images.create(caller, {}))).toBe('Forbidden');
    }
    const lax = imagesBy({}, new Authorization({ current: new Policy(glanceRules) }, false));
    expect(await outcome(lax.show(cloud, image.id))).toBe('done');
  });

  it('makes nobody an owner for lack of a project', async () => {
    const orphan = await images.create(unauthenticatedCaller('req-1'), { visibility: 'private' });
    expect(orphan.owner).toBe(null);
    const homeless = callerOf(null, ['member', 'reader']);
    expect(await outcome(images.show(homeless, orphan.id))).toBe('NotFound');
    const named = await images.create(admin, { owner: 'None', visibility: 'private' });
    expect(await outcome(images.show(homeless, named.id))).toBe('NotFound');
    expect(await outcome(images.create(homeless, {}))).toBe('Forbidden');
  });

  it('knows no administrators but those of the rule context_is_admin', async () => {
    const strict = imagesBy({ context_is_admin: 'role:root' });
    const image = await images.create(alice, { visibility: 'private' });
    expect(await outcome(strict.show(admin, image.id))).toBe('NotFound');
    const root = callerOf('x', ['root']);
    expect(await outcome(strict.show(root, image.id))).toBe('done');
    const guarded = imagesBy({ delete_image: 'role:member and project_id:%(project_id)s' });
    expect(await outcome(guarded.beginDelete(admin, image.id))).toBe('Forbidden');
  });

  it('gives the images of another project to no one but administrators, even where everybody may add', async () => {
    const lax = imagesBy({ add_image: '@' });
    expect(await outcome(lax.create(alice, { owner: 'bob' }))).toBe('Forbidden');
    expect(await outcome(lax.create(admin, { owner: 'bob' }))).toBe('done');
  });

  it('hides what get_image refuses, in lists too, and fills the pages with the rest', async () => {
    await registry.empty();
    const picky = imagesBy({ get_image: "'yes':%(shown)s" });
    const made: Image[] = [];
    for (let i = 0; i < 12; i++) {
      made.push(await images.create(alice, { properties: i % 3 === 0 ? { shown: 'yes' } : {} }));
      registry.pass(1);
    }
    const shown = made.filter(({ properties }) => properties['shown'] === 'yes').map(({ id }) => id);
    expect(await ids(alice, picky)).toEqual(shown.toReversed());
    expect(await ids(alice, picky, 2)).toEqual(shown.toReversed().slice(0, 2));
    expect(await outcome(picky.show(alice, made[1]!.id))).toBe('NotFound');
    expect(await outcome(picky.beginDelete(alice, made[1]!.id))).toBe('NotFound');
    expect(await ids(alice, imagesBy({ get_image: '!' }), 2)).toEqual([]);
  });

  it('waits for servers that rules ask', async () => {
    const remote = async (url: string): Promise<boolean> => url.endsWith('/alice');
    const overrides = { get_image: 'http://h/%(owner)s', get_images: '@' };
    const asking = imagesBy({}, new Authorization({ current: new Policy(glanceRules, { overrides, remote }) }));
    const [hers, his] = [
      await images.create(alice, {}),
      await images.create(admin, { owner: 'bob', visibility: 'public' }),
    ];
    expect(await outcome(asking.show(alice, hers.id))).toBe('done');
    expect(await outcome(asking.show(alice, his.id))).toBe('NotFound');
    expect(await ids(alice, asking)).not.toContain(his.id);
  });

  it('lets a project answer for itself only, and its readers not at all', async () => {
    const members = new MembersInDatabase(registry.database, registrySettings, () => registry.now);
    const { id } = await images.create(alice, { visibility: 'shared' });
    await members.create(alice, id, 'bob');
    expect(await outcome(members.update(alice, id, 'bob', 'accepted'))).toBe('Forbidden');
    expect(await outcome(members.update(callerOf('bob', ['reader']), id, 'bob', 'accepted'))).toBe('Forbidden');
    expect(await outcome(members.update(bob, id, 'bob', 'accepted'))).toBe('done');
    expect(await outcome(members.remove(bob, id, 'bob'))).toBe('Forbidden');
  });
});

describe('an image as a target', () => {
  const image = {
    id: 'i',
    owner: 'alice',
    visibility: 'shared',
    properties: { member_id: 'eve', owner: 'eve', project_id: 'eve', mood: 'good' },
  } as unknown as Image;

  it('has its attributes, and its properties where they are not in their way', () => {
    const expected = { owner: 'alice', project_id: 'alice', member_id: null, mood: 'good', image_id: 'i' };
    expect(imageTarget(image)).toMatchObject(expected);
  });

  it('that is shared has the caller as its member, unless it is his', () => {
    expect(seenTarget(bob, image)).toMatchObject({ member_id: 'bob' });
    expect(seenTarget(alice, image)).toMatchObject({ member_id: null });
  });

  it('is judged in less than five microseconds', async () => {
    const rights = await new Authorization().of(bob);
    const judge = (): unknown => rights.allows('get_image', seenTarget(bob, image));
    let best = Infinity;
    for (let round = 0; round < 50; round++) {
      const began = performance.now();
      for (let i = 0; i < 1000; i++) judge();
      best = Math.min(best, performance.now() - began);
    }
    expect(judge()).toBe(true);
    expect(best).toBeLessThan(5);
  });
});
