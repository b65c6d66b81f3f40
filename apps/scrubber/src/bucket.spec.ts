import { randomUUID } from 'node:crypto';
import { type Scrubbing, silentLogger } from '@glance/domain';
import { drivers, Store, type StoreDriver, Stores } from '@glance/store';
import { chunked, content, settingsOf } from '@glance/store/testing';
import { describe, expect, it } from 'vitest';
import { Applier, type ApplierParts } from './applier.js';
import { inspectorOf } from './inspector.js';
import { idleSinceOf, type PlanItem, timeOf } from './plan-item.js';
import { Planner } from './planner.js';

const each = 40;
const never = new AbortController().signal;
const { origin, username, password } = new URL(process.env['GLANCE_TEST_RADOSGW']!);

async function bucket(): Promise<StoreDriver> {
  const { options, create } = await drivers.s3();
  const driver = create(
    settingsOf(options, {
      s3StoreHost: origin,
      s3StoreAccessKey: username,
      s3StoreSecretKey: decodeURIComponent(password),
      s3StoreBucket: `plans-${randomUUID()}`,
      s3StoreCreateBucketOnPut: true,
    }),
  );
  await driver.open();
  return driver;
}

/** A registry to which these images are known. */
function registryOf(known: readonly string[]): Scrubbing {
  const parts: Partial<Scrubbing> = {
    pending: async () => [],
    located: async () => [],
    unknown: async (_, names) => names.filter((name) => !known.includes(name)),
    claimOrphan: async (id) => (known.includes(id) ? undefined : { token: id, expiresIn: 60_000 }),
    finishOrphan: async () => undefined,
    beginRun: async () => 'run',
    finishRun: async () => undefined,
  };
  return parts as Scrubbing;
}

describe('a plan of what is in a bucket', () => {
  it('has all that is ours and nobody needs, nothing of others, and is done as it says and no further', async () => {
    const driver = await bucket();
    const stores = new Stores([{ id: 'objects', schemes: ['s3'], store: new Store(driver) }], { defaultId: 'objects' });
    const ids = (count: number): string[] => Array.from({ length: count }, () => randomUUID());
    const [orphans, owned, later] = [ids(each), ids(5), ids(5)];
    const foreign = ids(each).map((id, n) => (n % 2 === 0 ? `volume-${id}` : `${id}.qcow2`));
    const plant = async (names: readonly string[]): Promise<void> => {
      const waiting = [...names];
      const worker = async (): Promise<void> => {
        for (let id = waiting.pop(); id !== undefined; id = waiting.pop())
          await driver.write(id, chunked(content(10)), { size: 10, signal: never });
      };
      await Promise.all(Array.from({ length: 16 }, worker));
    };
    const there = async (names: readonly string[]): Promise<string[]> => {
      const held = await Promise.all(names.map((name) => driver.holding!(name, never)));
      return names.filter((_, n) => held[n] !== undefined);
    };
    await plant([...owned, ...foreign, ...orphans]);

    const registry = registryOf(owned);
    const inspector = inspectorOf(stores, undefined);
    // Made a while from now: nothing is too young for it.
    const header = { plan: 1, made: timeOf(Date.now() + 600_000), grace: 1 } as const;
    const parts = { registry, inspector, logger: silentLogger, host: null, idleSince: idleSinceOf(header) };
    const items: PlanItem[] = [];
    for await (const item of new Planner(parts).items(never)) items.push(item);
    expect(items.map(({ image }) => image).sort()).toEqual(orphans.toSorted());
    for (const item of items) expect(item).toMatchObject({ kind: 'orphan', store: 'objects', bytes: 10 });

    await plant(later);
    const applying = { ...parts, stores, images: {}, tasks: {}, defaultStore: 'objects', poolSize: 8 };
    // The lease is confirmed before anything is erased.
    const images = { renewLease: async (token: string) => ({ token, expiresIn: 60_000 }) };
    const applier = new Applier({ ...applying, images } as unknown as ApplierParts);
    async function* planned(): AsyncIterable<PlanItem> {
      yield* items;
    }
    const { log } = await applier.apply(header, planned(), {}, never);
    expect(log.report).toMatchObject({ outcomes: { deleted: each }, bytes: 10 * each, errors: [] });
    expect(await there(orphans)).toEqual([]);
    const kept = [...owned, ...foreign, ...later];
    expect(await there(kept)).toEqual(kept);
    await driver.close();
  });
});
