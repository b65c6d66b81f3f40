import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

/** An image as a client is shown it, and the projects it is shared with, by status. */
interface Shown {
  readonly image: Readonly<Record<string, unknown>>;
  readonly members: Readonly<Record<string, string>>;
}

/** Something that a query asks for, and which images have it. */
interface Part {
  readonly pairs: readonly (readonly [name: string, value: string])[];
  holds(image: Shown['image']): boolean;
}

const seed = Date.now();
const word = fc.constantFrom('a', 'b', 'A', 'a ', 'ä', 'x:y', 'a,b', 'eq:a', '50%', "it's", '_', '');
const project = fc.constantFrom('alice', 'bob', 'carol');
const visibility = fc.constantFrom('public', 'community', 'shared', 'private');
const memberStatus = fc.constantFrom('pending', 'accepted', 'rejected');
const few = fc.integer({ min: 0, max: 4 });

type FreshImage = typeof fresh extends fc.Arbitrary<infer T> ? T : never;
const fresh = fc.record({
  body: fc.record(
    {
      owner: project,
      visibility,
      name: fc.option(word),
      disk_format: fc.constantFrom('raw', 'qcow2', null),
      container_format: fc.constantFrom('bare', 'ovf', null),
      min_disk: few,
      min_ram: few,
      protected: fc.boolean(),
      os_hidden: fc.integer({ max: 9, min: 0 }).map((n) => n === 0),
      tags: fc.uniqueArray(word, { maxLength: 3 }),
      colour: word,
      'x y': word,
    },
    { requiredKeys: ['owner', 'visibility'] },
  ),
  data: fc.option(few, { freq: 3 }),
  members: fc.dictionary(project, memberStatus, { maxKeys: 2 }).map((members) => ({ ...members })),
});

/** Makes images as clients do, several at a time, and looks at each of them. */
async function fill(ask: TestService['ask']): Promise<Shown[]> {
  const waiting = fc.sample(fresh, { numRuns: 500, seed });
  const shown: Shown[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) shown.push(await make(ask, next));
  };
  await Promise.all([work(), work(), work(), work()]);
  return shown;
}

async function make(ask: TestService['ask'], { body, data, members }: FreshImage): Promise<Shown> {
  const created = (await ask('POST', '/v2/images', { body: { ...body } })).json();
  const path = String(created['self']);
  const shared = body.visibility === 'shared' ? members : {};
  for (const [member, status] of Object.entries(shared)) {
    await ask('POST', `${path}/members`, { body: { member } });
    await ask('PUT', `${path}/members/${member}`, { body: { status } });
  }
  if (data === null || body.disk_format !== 'raw' || !body.container_format) return { image: created, members: shared };
  const headers = { 'content-type': 'application/octet-stream' };
  await ask('PUT', `${path}/file`, { headers, body: 'x'.repeat(data) });
  if (data === 4) await ask('POST', `${path}/actions/deactivate`);
  return { image: (await ask('GET', path)).json(), members: shared };
}

const time = (at: unknown): number => Date.parse(String(at));
const quoted = (value: string): string => (value.includes(',') || value === '' ? `"${value}"` : value);

/** Several spellings of one moment. */
const spelled = (at: number): fc.Arbitrary<string> => {
  const local = (hours: number): string => new Date(at + hours * 3_600_000).toISOString().slice(0, 19);
  return fc.constantFrom(`${local(0)}Z`, local(0), `${local(2)}+02:00`, `${local(-5)}-0500`, `${local(0)}.7Z`);
};

const textual = ['name', 'status', 'disk_format', 'container_format', 'id'] as const;
const exact = ['owner', 'checksum', 'os_hash_value', 'os_hash_algo', 'colour', 'x y'] as const;
const numeric = ['size', 'min_ram', 'min_disk'] as const;
const temporal = ['created_at', 'updated_at'] as const;
type Comparison = 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte';

function compares(comparison: Comparison, a: number, b: number): boolean {
  return { eq: a === b, neq: a !== b, gt: a > b, gte: a >= b, lt: a < b, lte: a <= b }[comparison];
}

/** Filters by attributes, each by its own name, with values that some images have. */
function filters(images: readonly Shown[]): fc.Arbitrary<Part> {
  const valueOf = (name: string): fc.Arbitrary<string> => {
    const values = images.map(({ image }) => image[name]).filter((value) => typeof value === 'string');
    return values.length === 0 ? word : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...values) }, word);
  };
  const part = (name: string, value: string, holds: (value: unknown) => boolean): Part => ({
    pairs: [[name, value]],
    holds: (image) => holds(image[name]),
  });
  const oneText = fc.constantFrom(...textual).chain((name) =>
    fc.oneof(
      valueOf(name).map((value) => part(name, `eq:${value}`, (is) => is === value)),
      valueOf(name)
        .filter((value) => !value.includes(':'))
        .map((value) => part(name, value, (is) => is === value)),
      fc
        .array(valueOf(name), { minLength: 1, maxLength: 4 })
        .map((values) => part(name, `in:${values.map(quoted).join(',')}`, (is) => values.includes(is as string))),
    ),
  );
  const oneExact = fc
    .constantFrom(...exact)
    .chain((name) => valueOf(name).map((value) => part(name, value, (is) => is === value)));
  const oneNumber = fc
    .tuple(fc.constantFrom(...numeric), fc.constantFrom('', '_min', '_max'), few)
    .map(([name, bound, value]): Part => ({
      pairs: [[name + bound, String(value)]],
      holds: ({ [name]: is }) =>
        typeof is === 'number' && (bound === '' ? is === value : bound === '_min' ? is >= value : is <= value),
    }));
  const oneTime = fc.constantFrom(...temporal).chain((name) =>
    fc
      .tuple(
        fc.constantFrom<Comparison[]>('eq', 'neq', 'gt', 'gte', 'lt', 'lte'),
        fc.constantFrom(...images).map(({ image }) => time(image[name])),
        fc.boolean(),
      )
      .chain(([comparison, at, bare]) =>
        spelled(at).map((text) =>
          part(name, comparison === 'eq' && bare ? text : `${comparison}:${text}`, (is) =>
            compares(comparison, time(is), at),
          ),
        ),
      ),
  );
  const oneFlag = fc.boolean().map((value) => part('protected', String(value), (is) => is === value));
  const tags = fc.array(word, { minLength: 1, maxLength: 2 }).map((wanted): Part => ({
    pairs: wanted.map((tag) => ['tag', tag] as const),
    holds: (image) => wanted.every((tag) => (image['tags'] as string[]).includes(tag)),
  }));
  const one = fc.oneof(oneText, oneExact, oneNumber, oneTime, oneFlag, tags);
  // Of a name that stands there twice the last counts.
  return fc.tuple(one, fc.boolean()).map(([{ pairs, holds }, twice]) => {
    const [name, value] = pairs[0]!;
    return { pairs: twice && name !== 'tag' ? [[name, value], ...pairs] : pairs, holds };
  });
}

interface Order {
  readonly pairs: Part['pairs'];
  readonly keys: readonly (readonly [key: string, direction: string])[];
}

const sortKey = fc.constantFrom(
  ...['name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'],
);
const direction = fc.constantFrom('asc', 'desc');
const order: fc.Arbitrary<Order> = fc
  .uniqueArray(fc.tuple(sortKey, direction), { maxLength: 3, selector: ([key]) => key })
  .chain((keys) => {
    if (keys.length === 0) return fc.constant<Order>({ pairs: [], keys: [['created_at', 'desc']] });
    const words = keys.map(([key, to]) => (to === 'desc' ? key : `${key}:${to}`));
    const all = keys[0]![1];
    return fc.constantFrom<Order[]>(
      { pairs: [['sort', words.join(',')]], keys },
      { pairs: keys.flatMap(([key, to]) => [['sort_key', key] as const, ['sort_dir', to] as const]), keys },
      {
        pairs: [...keys.map(([key]) => ['sort_key', key] as const), ['sort_dir', all]],
        keys: keys.map(([key]) => [key, all]),
      },
    );
  });

const sight = fc.record(
  {
    visibility: fc.oneof(visibility, fc.constant('all')),
    member_status: fc.oneof(memberStatus, fc.constant('all')),
    os_hidden: fc.constantFrom('true', 'false', 'True', 'FALSE'),
  },
  { requiredKeys: [] },
);
type Sight = { readonly [K in 'visibility' | 'member_status' | 'os_hidden']?: string };

/** Whether a list shows the image to a member of `caller`; without one, to an administrator without a project. */
function sees(caller: string | undefined, { image, members }: Shown, asked: Sight): boolean {
  if (image['os_hidden'] !== (asked.os_hidden?.toLowerCase() === 'true')) return false;
  if (asked.visibility !== undefined && asked.visibility !== 'all' && asked.visibility !== image['visibility'])
    return false;
  const own = image['owner'] === caller;
  if (image['visibility'] === 'community' && asked.visibility === undefined) return own;
  const membership = caller === undefined ? undefined : members[caller];
  const wanted = asked.member_status ?? 'accepted';
  const shared = membership !== undefined && (wanted === 'all' || membership === wanted);
  return caller === undefined || own || shared || ['public', 'community'].includes(String(image['visibility']));
}

/** Null before all else. */
function rank(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? -1 : 1;
  return (a as string | number) < (b as string | number) ? -1 : 1;
}

function inOrder(images: readonly Shown['image'][], keys: Order['keys']): boolean {
  // What was made within one second is in an order that no client can see.
  const seen = [...keys, ['created_at', keys[0]![1]] as const];
  const decisive = seen.slice(0, seen.findIndex(([key]) => temporal.includes(key as 'created_at')) + 1);
  const follows = (a: Shown['image'], b: Shown['image']): boolean => {
    const found = decisive.map(([key, to]) => rank(a[key], b[key]) * (to === 'asc' ? 1 : -1)).find((by) => by !== 0);
    return (found ?? 0) <= 0;
  };
  return images.every((image, index) => index === 0 || follows(images[index - 1]!, image));
}

describe('a list of 500 images', () => {
  let service: TestService;
  let images: Shown[];
  const agent = new Agent({ keepAlive: true });
  const ask: TestService['ask'] = (method, path, options) => service.ask(method, path, { agent, ...options });
  beforeAll(async () => {
    service = await startService();
    images = await fill(ask);
  });
  afterAll(async () => {
    agent.destroy();
    await service.close();
  });

  /** All pages, from link to link. */
  async function walk(caller: string | undefined, path: string, limit: number): Promise<Shown['image'][]> {
    const found: Shown['image'][] = [];
    for (let next: string | undefined = path; next !== undefined;) {
      const answer = await ask('GET', next, caller === undefined ? {} : { headers: { 'x-project': caller } });
      expect([next, answer.status]).toEqual([next, 200]);
      const page: { images: Shown['image'][]; next?: string } = answer.json();
      expect(page.images.length === limit).toBe(page.next !== undefined);
      found.push(...page.images);
      next = page.next;
    }
    return found;
  }

  it('has, page by page, what a naive filter and sort finds, for whatever a client can ask', async () => {
    expect(new Set(images.map(({ image }) => image['status']))).toEqual(new Set(['queued', 'active', 'deactivated']));
    const callers = fc.option(fc.constantFrom('alice', 'bob', 'nobody'), { nil: undefined });
    const wanted = fc.uniqueArray(filters(images), { maxLength: 2, selector: ({ pairs }) => pairs[0]![0] });
    const property = fc.asyncProperty(
      ...([callers, wanted, sight, order, fc.integer({ min: 10, max: 200 })] as const),
      async (caller, parts, asked, { pairs, keys }, limit) => {
        const everything = [...parts.flatMap((part) => part.pairs), ...Object.entries(asked), ...pairs];
        const query = new URLSearchParams([...everything, ['limit', String(limit)]] as [string, string][]);
        const found = await walk(caller, `/v2/images?${query.toString()}`, limit);
        const expected = images.filter(
          (one) => sees(caller, one, asked) && parts.every((part) => part.holds(one.image)),
        );
        const byId = (a: Shown['image'], b: Shown['image']): number => rank(a['id'], b['id']);
        expect(found.toSorted(byId)).toEqual(expected.map(({ image }) => image).toSorted(byId));
        expect(inOrder(found, keys)).toBe(true);
      },
    );
    await fc.assert(property, { numRuns: 120, seed });
  });
});
