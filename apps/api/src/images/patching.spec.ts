import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../testing/service.js';

type Image = Readonly<Record<string, unknown>>;
type Dialect = '2.0' | '2.1';

/** One operation, before it is written down in one of the two notations. */
interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

const quotas = { properties: 3, tags: 2 };

const settable: Readonly<Record<string, (value: unknown) => boolean>> = {
  name: (value) => value === null || (typeof value === 'string' && value.length <= 255),
  owner: (value) => value === null || (typeof value === 'string' && value.length <= 255),
  visibility: (value) => ['public', 'private', 'shared', 'community'].includes(value as string),
  disk_format: (value) => value === null || ['raw', 'qcow2'].includes(value as string),
  container_format: (value) => value === null || ['bare', 'ovf'].includes(value as string),
  min_disk: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31,
  min_ram: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31,
  protected: (value) => typeof value === 'boolean',
  os_hidden: (value) => typeof value === 'boolean',
  tags: (value) => Array.isArray(value) && value.every((tag) => typeof tag === 'string' && tag.length <= 255),
};
const serverOnly = [
  ...['created_at', 'updated_at', 'status', 'checksum', 'size', 'virtual_size', 'direct_url', 'self', 'file'],
  ...['schema', 'stores', 'id', 'os_hash_algo', 'os_hash_value', 'deleted', 'deleted_at', 'location'],
];
const ownKeys = new Set([...Object.keys(settable), ...serverOnly]);

/** What is wrong with an operation in itself, as a status; or the attribute that it names. */
function understand({ op, path, value }: Operation, dialect: Dialect): number | string {
  if (!['add', 'replace', 'remove'].includes(op)) return 400;
  if (!/^\/([^/~]|~0|~1)+$/.test(path)) return 400;
  if (path === '/__proto__' || (op !== 'remove' && value === undefined)) return 400;
  const name = path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  if (Object.hasOwn(settable, name)) {
    if (op === 'remove') return 403;
    if (op === 'add' && dialect === '2.0') return 409;
    return settable[name]!(value) ? name : 400;
  }
  if (serverOnly.includes(name) || name.startsWith('os_glance')) return 403;
  return op === 'remove' || typeof value === 'string' ? name : 400;
}

/** The image after all operations, or the status with which they are refused. */
function patched(image: Image, operations: readonly Operation[], dialect: Dialect): Image | number {
  const names = operations.map((operation) => understand(operation, dialect));
  const wrong = names.find((name) => typeof name === 'number');
  if (wrong !== undefined) return wrong;
  const after: Record<string, unknown> = { ...image };
  for (const [index, { op, value }] of operations.entries()) {
    const name = names[index] as string;
    const exists = Object.hasOwn(after, name);
    if (Object.hasOwn(settable, name)) {
      if (/_format$/.test(name) && image['status'] !== 'queued') return 403;
      after[name] = name === 'tags' ? [...new Set(value as string[])].sort() : value;
    } else if (op === 'add' && !(dialect === '2.0' && exists)) after[name] = value;
    else if (op === 'add' || !exists) return 409;
    else if (op === 'replace') after[name] = value;
    else Reflect.deleteProperty(after, name);
  }
  const properties = (of: Image): number => Object.keys(of).filter((name) => !ownKeys.has(name)).length;
  const tags = operations.filter((_, index) => names[index] === 'tags').map(({ value }) => new Set(value as string[]));
  if (tags.some(({ size }) => size > quotas.tags)) return 413;
  if (properties(after) > quotas.properties && properties(after) > properties(image)) return 413;
  return after;
}

const attributeValues: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  name: fc.constantFrom('x', '', null, 'x'.repeat(255), 'x'.repeat(256)),
  owner: fc.constantFrom('alice', 'bob', null),
  visibility: fc.constantFrom('public', 'private', 'shared', 'community', 'secret'),
  disk_format: fc.constantFrom('raw', 'qcow2', null, 'floppy'),
  container_format: fc.constantFrom('bare', 'ovf', null, 'bag'),
  min_disk: fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, -1, 1.5),
  min_ram: fc.constantFrom(0, 64, '64', true),
  protected: fc.constantFrom(true, false, 'true'),
  os_hidden: fc.constantFrom(true, false, 1),
  tags: fc.oneof(
    { weight: 9, arbitrary: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'ä'), { maxLength: 5 }) },
    fc.constantFrom('a', [1], null),
  ),
};
const likely = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 30, arbitrary: usual }, odd);
const op = likely(
  fc.constantFrom('add', 'add', 'replace', 'remove'),
  fc.constantFrom('move', 'copy', 'test', 'Add', ''),
);
const ofAttribute = fc.constantFrom(...Object.keys(attributeValues)).chain((name) =>
  fc.record({
    op: likely(fc.constantFrom('add', 'replace'), op),
    path: fc.constant(`/${name}`),
    value: attributeValues[name]!,
  }),
);
const ofProperty = fc.record({
  op,
  path: fc.constantFrom('/p1', '/p2', '/p3', '/p~0~1', '/toString', '/constructor', '/ö'),
  value: likely<unknown>(fc.constantFrom('1', '2', '', 'ü'), fc.constantFrom(1, null, true, ['x'], undefined)),
});
const ofOthers = fc.record({
  op,
  path: fc.constantFrom(
    ...serverOnly.map((name) => `/${name}`),
    ...['/os_glance_x', '/tags/-', '/p1/', '/p1~', '/p1~2', 'p1', '', '/', '/__proto__'],
  ),
  value: fc.constant('x'),
});
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: ofAttribute },
  { weight: 12, arbitrary: ofProperty },
  { weight: 1, arbitrary: ofOthers },
);

describe('patches of an image', () => {
  let service: TestService;
  const agent = new Agent({ keepAlive: true });
  const seed = Date.now();
  beforeAll(async () => {
    service = await startService({ registry: { imagePropertyQuota: quotas.properties, imageTagQuota: quotas.tags } });
  });
  afterAll(async () => {
    agent.destroy();
    await service.close();
  });

  /** `updated_at` is of the clock. */
  const lasting = ({ updated_at: _, ...image }: Image): Image => image;

  async function patch(path: string, operations: readonly Operation[], dialect: Dialect) {
    const body = JSON.stringify(
      operations.map((one) => (dialect === '2.1' ? one : { [one.op]: one.path, value: one.value })),
    );
    const headers = { 'content-type': `application/openstack-images-v${dialect}-json-patch` };
    return service.ask('PATCH', path, { headers, body, agent });
  }

  it('do what a naive model does, all or none, in both notations', async () => {
    const statuses = new Set<number>();
    const dialect = fc.constantFrom<Dialect[]>('2.0', '2.1');
    const patches = fc.array(fc.tuple(dialect, fc.array(operation, { maxLength: 4 })), { minLength: 1, maxLength: 8 });
    const property = fc.asyncProperty(fc.boolean(), patches, async (uploaded, all) => {
      const path = uploaded ? await service.upload('data') : await service.create({ p1: '1', tags: ['a'] });
      let image = lasting(await service.show(path));
      for (const [notation, operations] of all) {
        const expected = patched(image, operations, notation);
        const answer = await patch(path, operations, notation);
        statuses.add(answer.status);
        if (typeof expected === 'number') expect(answer.status).toBe(expected);
        else {
          image = expected;
          expect([answer.status, lasting(answer.json())]).toEqual([200, image]);
        }
        expect(lasting((await service.ask('GET', path, { agent })).json())).toEqual(image);
      }
    });
    await fc.assert(property, { numRuns: 100, seed });
    expect([...statuses].toSorted()).toEqual([200, 400, 403, 409, 413]);
  });
});
