import { type ClaimedDeletion, type DueDeletion, ServiceError, silentLogger } from '@glance/domain';
import { describe, expect, it } from 'vitest';
import { DeletionPool, type PoolParts, type PoolTurns } from './deletion-pool.js';
import type { PlanItem } from './plan-item.js';
import { RunLog } from './run-log.js';

const never = new AbortController().signal;
const unexpected = (): never => {
  throw new Error('Nobody should ask for this.');
};
const item = (id: string, kind: PlanItem['kind'] = 'deletion'): PlanItem => ({
  ...{ kind, key: id, image: id, store: null, bytes: 1, since: '2026-01-01T00:00:00Z', why: '' },
});

async function* each(count: number): AsyncIterable<PlanItem> {
  for (let n = 0; n < count; n++) yield item(`image-${n}`);
}

/** A registry that gives every deletion to whoever asks, and stores that erase at once. */
class Scene {
  readonly claimed: string[][] = [];
  readonly erased: string[] = [];
  readonly finished: ClaimedDeletion[][] = [];
  readonly givenBack: string[] = [];
  readonly failed: string[] = [];
  readonly missed: string[] = [];
  readonly postponed: string[] = [];
  readonly parts: PoolParts = {
    poolSize: 4,
    logger: silentLogger,
    images: { renewLease: unexpected, cancelUpload: unexpected, cancelDelete: unexpected, finishDelete: unexpected },
    tasks: { heartbeat: unexpected, undone: unexpected },
    registry: {
      claimDeletions: async (ids) => {
        this.claimed.push([...ids]);
        return this.claimable(ids).map((id) => this.workOn(id));
      },
      finishDeletions: async (works) => {
        this.finished.push([...works]);
        return works.filter(({ imageId }) => this.lost.includes(imageId));
      },
      giveBack: async (tokens) => void this.givenBack.push(...tokens),
      postpone: async (token) => {
        this.postponed.push(token);
        return { attempts: 1, nextTry: '' };
      },
    },
    stores: {
      erase: async (locations) => void this.erased.push(...locations.map(({ url }) => url)),
      discard: unexpected,
    },
  };
  readonly log = new RunLog(
    { beginRun: async () => 'run', finishRun: async () => undefined },
    'apply',
    this.parts.logger,
  );
  lost: readonly string[] = [];
  claimable: (ids: readonly string[]) => readonly string[] = (ids) => ids;

  workOn(id: string): DueDeletion {
    const lease = { token: `lease of ${id}`, expiresIn: 60_000 };
    return { kind: 'delete', imageId: id, locations: [{ url: id, metadata: {} }], bytes: 10, lease };
  }

  run(items: AsyncIterable<PlanItem>, turns: Partial<PoolTurns> = {}): Promise<void> {
    const all: PoolTurns = {
      other: unexpected,
      missed: ({ key }) => void this.missed.push(key),
      failed: ({ key }) => void this.failed.push(key),
      over: () => false,
      ...turns,
    };
    return new DeletionPool(this.parts, this.log).run(items, all, never);
  }
}

describe('a pool of deletions', () => {
  it('erases each once, by few calls of the registry', async () => {
    const scene = new Scene();
    await scene.run(each(5000));
    expect(new Set(scene.erased).size).toBe(5000);
    expect(scene.erased).toHaveLength(5000);
    expect(scene.finished.flat()).toHaveLength(5000);
    expect(scene.claimed.every((ids) => ids.length <= 500)).toBe(true);
    expect(scene.claimed.length + scene.finished.length).toBeLessThan(500);
    expect(scene.log.report).toEqual({ outcomes: { deleted: 5000 }, bytes: 50_000, errors: [] });
  });

  it('gives back what it has claimed and not begun', async () => {
    const scene = new Scene();
    await scene.run(each(1000), { over: () => scene.erased.length >= 30 });
    const begun = scene.erased.length;
    expect(begun).toBeLessThan(40);
    expect(scene.finished.flat()).toHaveLength(begun);
    const rest = scene.claimed.flat().slice(begun);
    expect(rest.length).toBeGreaterThan(0);
    expect(scene.givenBack).toEqual(rest.map((id) => `lease of ${id}`));
  });

  it('leaves to others what they have begun, and says of what they took over that it failed', async () => {
    const scene = new Scene();
    scene.claimable = (ids) => ids.filter((id) => !id.endsWith('7'));
    scene.lost = ['image-3'];
    await scene.run(each(20));
    expect(scene.missed.sort()).toEqual(['image-17', 'image-7']);
    expect(scene.log.report.outcomes).toEqual({ deleted: 17, failed: 1 });
    expect(scene.log.report.errors).toEqual(['Image image-3: Somebody else has taken over the work on it.']);
  });

  it('goes on after a call of the registry that failed', async () => {
    const scene = new Scene();
    let calls = 0;
    scene.claimable = (ids) => {
      if (++calls === 2) throw new ServiceError('Unavailable', 'No registry.');
      return ids;
    };
    await scene.run(each(100));
    expect(scene.failed.length).toBeGreaterThan(0);
    expect(scene.failed.sort()).toEqual(scene.claimed[1]!.sort());
    expect(scene.erased).toHaveLength(100 - scene.failed.length);
  });

  it('puts off what a store does not erase, and not what only the registry could not be told', async () => {
    const scene = new Scene();
    const { registry, stores } = scene.parts;
    const { finishDeletions } = registry;
    registry.finishDeletions = async (works) => {
      if (works.some(({ imageId }) => imageId === 'image-1')) throw new ServiceError('Unavailable', 'No registry.');
      return finishDeletions(works);
    };
    stores.erase = async ([location]) => {
      if (location?.url === 'image-2') throw new ServiceError('Unavailable', 'No store.');
    };
    await scene.run(each(3));
    expect(scene.log.report.errors).toContain('Image image-1: No registry.');
    expect(scene.log.report.errors).toContain('Image image-2: No store.');
    expect(scene.postponed).toEqual(['lease of image-2']);
  });

  it('does what is no deletion between them, and a deletion that comes twice once', async () => {
    const scene = new Scene();
    const others: string[] = [];
    async function* items(): AsyncIterable<PlanItem> {
      yield* [item('a'), item('x', 'orphan'), item('b'), item('a')];
    }
    await scene.run(items(), { other: async ({ key }) => void others.push(key) });
    expect(others).toEqual(['x']);
    expect(scene.erased.sort()).toEqual(['a', 'b']);
    expect(scene.missed).toEqual(['a']);
  });

  it('ends with the failure of what it reads, and finishes what it has begun', async () => {
    const scene = new Scene();
    async function* broken(): AsyncIterable<PlanItem> {
      yield* each(8);
      throw new ServiceError('Invalid', 'Line 9 of the plan is not one of its items.');
    }
    await expect(scene.run(broken())).rejects.toMatchObject({ code: 'Invalid' });
    const { length } = scene.erased;
    expect(length).toBeGreaterThan(0);
    expect(scene.finished.flat()).toHaveLength(length);
  });
});
