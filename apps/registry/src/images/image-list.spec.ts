import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, ImageFilter, ImageQuery, MemberStatus, Sort, Visibility } from '@glance/domain';
import { wireTime } from '../database/dialect.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, callerOf, TestRegistry } from '../testing/registry.js';
import { Authorization } from '../authorization/authorization.js';
import { listImages } from './image-list.js';
import { insert } from './image-writes.js';

/** An image as the naive model knows it. */
interface Model {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  readonly status: string;
  readonly visibility: Visibility;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly checksum: string | null;
  readonly osHashAlgo: string | null;
  readonly osHashValue: string | null;
  readonly size: number | null;
  readonly minDisk: number;
  readonly minRam: number;
  readonly protected: boolean;
  readonly osHidden: boolean;
  readonly deleted: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly properties: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly members: Readonly<Record<string, MemberStatus>>;
}

const word = fc.constantFrom('a', 'b', 'c', 'd-1');
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 3 });
const few = fc.integer({ min: 0, max: 4 });
const moment = few.map((n) => new Date(Date.UTC(2026, 0, 1, 0, 0, n)));
const project = fc.constantFrom('alice', 'bob', 'carol');
const visibility = fc.constantFrom<Visibility>('public', 'community', 'shared', 'private');
const memberStatus = fc.constantFrom<MemberStatus>('pending', 'accepted', 'rejected');
const status = fc.constantFrom('queued', 'active', 'deactivated');

const model: fc.Arbitrary<Model> = fc.record({
  id: fc.uuid(),
  name: maybe(word),
  owner: maybe(project),
  status,
  visibility,
  diskFormat: maybe(word),
  containerFormat: maybe(word),
  checksum: maybe(word),
  osHashAlgo: maybe(word),
  osHashValue: maybe(word),
  size: maybe(few),
  minDisk: few,
  minRam: few,
  protected: fc.boolean(),
  osHidden: fc.integer({ max: 9, min: 0 }).map((n) => n === 0),
  deleted: fc.integer({ max: 9, min: 0 }).map((n) => n === 0),
  createdAt: moment,
  updatedAt: moment,
  properties: fc.dictionary(word, word, { maxKeys: 3 }).map((properties) => ({ ...properties })),
  tags: fc.uniqueArray(word, { maxLength: 3 }),
  members: fc.dictionary(project, memberStatus, { maxKeys: 2 }).map((members) => ({ ...members })),
});

const textual = [
  'id',
  'name',
  'status',
  'diskFormat',
  'containerFormat',
  'owner',
  'checksum',
  'osHashAlgo',
  'osHashValue',
] as const;
const filter: fc.Arbitrary<ImageFilter> = fc.oneof(
  fc.record({
    kind: fc.constant('oneOf' as const),
    attribute: fc.constantFrom(...textual),
    values: fc.array(fc.oneof(word, status, project, fc.constantFrom('A', 'a ')), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('number' as const),
    attribute: fc.constantFrom('size' as const, 'minRam', 'minDisk'),
    comparison: fc.constantFrom('eq' as const, 'gte', 'lte'),
    value: few,
  }),
  fc.record({
    kind: fc.constant('time' as const),
    attribute: fc.constantFrom('createdAt' as const, 'updatedAt'),
    comparison: fc.constantFrom('eq' as const, 'neq', 'gt', 'gte', 'lt', 'lte'),
    value: moment.map((date) => wireTime(date.toISOString())),
  }),
  fc.record({ kind: fc.constant('protected' as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant('tag' as const), value: fc.oneof(word, fc.constant('A')) }),
  fc.record({ kind: fc.constant('property' as const), name: word, value: word }),
);

const sort: fc.Arbitrary<Sort> = fc.record({
  key: fc.constantFrom('name', 'status', 'containerFormat', 'diskFormat', 'size', 'id', 'createdAt', 'updatedAt'),
  direction: fc.constantFrom('asc', 'desc'),
});

const query = fc.record(
  {
    filters: fc.array(filter, { maxLength: 2 }),
    sort: fc.uniqueArray(sort, { maxLength: 3, selector: ({ key }) => key }),
    visibility: fc.oneof(visibility, fc.constant('all' as const)),
    memberStatus: fc.oneof(memberStatus, fc.constant('all' as const)),
    osHidden: fc.boolean(),
  },
  { requiredKeys: ['filters', 'sort'] },
);

const callers = fc.constantFrom(alice, bob, admin, callerOf(null, ['admin']), callerOf(null), callerOf('nobody'));

function sees(caller: Caller, image: Model, { visibility, memberStatus = 'accepted' }: Partial<ImageQuery>): boolean {
  const isAdmin = caller.roles.includes('admin');
  const own = caller.projectId !== null && image.owner === caller.projectId;
  const membership = caller.projectId === null ? undefined : image.members[caller.projectId];
  const shared =
    image.visibility === 'shared' && (memberStatus === 'all' ? membership !== undefined : membership === memberStatus);
  if (visibility !== undefined && visibility !== 'all' && image.visibility !== visibility) return false;
  if (image.visibility === 'community' && visibility === undefined) return own;
  return isAdmin || own || shared || image.visibility === 'public' || image.visibility === 'community';
}

function passes(image: Model, filter: ImageFilter): boolean {
  switch (filter.kind) {
    case 'oneOf':
      return filter.values.includes(image[filter.attribute] as string);
    case 'number': {
      const value = image[filter.attribute];
      if (value === null) return false;
      return { eq: value === filter.value, gte: value >= filter.value, lte: value <= filter.value }[filter.comparison];
    }
    case 'time': {
      const [a, b] = [image[filter.attribute].getTime(), Date.parse(filter.value)];
      return { eq: a === b, neq: a !== b, gt: a > b, gte: a >= b, lt: a < b, lte: a <= b }[filter.comparison];
    }
    case 'protected':
      return image.protected === filter.value;
    case 'tag':
      return image.tags.includes(filter.value);
    case 'property':
      return image.properties[filter.name] === filter.value;
  }
}

type Sortable = string | number | null;

function compare(a: Model, b: Model, sorts: readonly Sort[]): number {
  for (const { key, direction } of sorts) {
    const [x, y] = [a[key], b[key]].map((value) => (value instanceof Date ? value.getTime() : value)) as [
      Sortable,
      Sortable,
    ];
    if (x === y) continue;
    const less = x === null || (y !== null && x < y);
    return less === (direction === 'asc') ? -1 : 1;
  }
  return 0;
}

function expected(images: readonly Model[], caller: Caller, query: Omit<ImageQuery, 'limit'>): string[] {
  const direction = query.sort[0]?.direction ?? 'desc';
  const sorts: Sort[] = [...query.sort, { key: 'createdAt', direction }, { key: 'id', direction }];
  return images
    .filter((image) => !image.deleted && image.osHidden === (query.osHidden ?? false))
    .filter((image) => sees(caller, image, query) && query.filters.every((filter) => passes(image, filter)))
    .sort((a, b) => compare(a, b, sorts))
    .map(({ id }) => id);
}

describe.each(databaseKinds)('lists of images on $name', (kind) => {
  let registry: TestRegistry;
  // Other images in every run; what fails says with which seed.
  const seed = Date.now();
  const models = fc.sample(model, { numRuns: 500, seed });
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
    await fill(registry, models);
  });
  afterAll(() => registry.close());

  it('are page by page what a naive filter and sort gives', async () => {
    const images = registry.images();
    const property = fc.asyncProperty(callers, query, fc.integer({ min: 1, max: 60 }), async (caller, query, limit) => {
      const ids: string[] = [];
      for (;;) {
        const marker = ids.at(-1);
        const page = await images.list(caller, { ...query, limit, ...(marker !== undefined && { marker }) });
        ids.push(...page.images.map(({ id }) => id));
        if (page.images.length < limit) break;
      }
      expect(ids).toEqual(expected(models, caller, query));
    });
    await fc.assert(property, { numRuns: 150, seed });
  }, 60_000);

  it('are the same however many images a filter matches', async () => {
    const rights = await new Authorization().of(admin);
    const property = fc.asyncProperty(query, fc.integer({ min: 0, max: 40 }), async (query, few) => {
      const page = await listImages(registry.database, rights, { ...query, limit: 1_000 }, few);
      expect(page.map(({ id }) => id)).toEqual(expected(models, admin, query));
    });
    await fc.assert(property, { numRuns: 60, seed });
  });

  it('hold the same images as show', async () => {
    const images = registry.images();
    const page = await images.list(admin, { filters: [], sort: [], limit: 100, visibility: 'all' });
    for (const image of page.images) expect(await images.show(admin, image.id)).toEqual(image);
    expect(page.images.some(({ tags }) => tags.length > 1)).toBe(true);
  });

  it('refuse a marker that is unknown, deleted or of an image that the caller cannot see', async () => {
    const images = registry.images();
    const deleted = models.find((image) => image.deleted)!;
    const hidden = models.find((image) => !image.deleted && image.visibility === 'private' && image.owner === 'bob')!;
    for (const marker of ['nonsense', deleted.id, hidden.id]) {
      const list = images.list(alice, { filters: [], sort: [], limit: 0, marker });
      await expect(list).rejects.toMatchObject({ code: 'Invalid' });
    }
    await images.list(bob, { filters: [], sort: [], limit: 5, marker: hidden.id });
  });

  it('are for readers', async () => {
    const list = registry.images().list(callerOf('alice', []), { filters: [], sort: [], limit: 1 });
    await expect(list).rejects.toMatchObject({ code: 'Forbidden' });
  });
});

async function fill({ database }: TestRegistry, models: readonly Model[]): Promise<void> {
  await database.transaction(async (tx) => {
    const time = (date: Date): string => tx.dialect.time(date);
    const common = { created_at: time(new Date(0)), deleted: 0 };
    const rows = models.map((image) => ({
      id: image.id,
      name: image.name,
      owner: image.owner,
      status: image.status,
      visibility: image.visibility,
      disk_format: image.diskFormat,
      container_format: image.containerFormat,
      checksum: image.checksum,
      os_hash_algo: image.osHashAlgo,
      os_hash_value: image.osHashValue,
      size: image.size,
      min_disk: image.minDisk,
      min_ram: image.minRam,
      protected: Number(image.protected),
      os_hidden: Number(image.osHidden),
      deleted: Number(image.deleted),
      created_at: time(image.createdAt),
      updated_at: time(image.updatedAt),
    }));
    await insert(tx, 'images', rows);
    const each = <T>(of: (image: Model) => T[]): (T & { image_id: string })[] =>
      models.flatMap((image) => of(image).map((row) => ({ ...row, ...common, image_id: image.id })));
    await insert(
      tx,
      'image_properties',
      each((image) => Object.entries(image.properties).map(([name, value]) => ({ name, value }))),
    );
    await insert(
      tx,
      'image_tags',
      each((image) => image.tags.map((value) => ({ value }))),
    );
    // Removed ones must not count.
    await insert(
      tx,
      'image_tags',
      each(() => [{ value: 'a' }]).map((row) => ({ ...row, deleted: 1 })),
    );
    const members = each((image) => Object.entries(image.members).map(([member, status]) => ({ member, status })));
    await insert(
      tx,
      'image_members',
      members.map((row) => ({ ...row, can_share: 0 })),
    );
  });
}
