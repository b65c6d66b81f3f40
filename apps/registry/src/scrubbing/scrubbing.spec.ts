import { randomUUID } from 'node:crypto';
import type { PendingKind } from '@glance/domain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, formats, stored, TestRegistry } from '../testing/registry.js';

const day = 86_400;

describe.each(databaseKinds)('what scrubbers ask on $name', (kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterEach(() => registry.empty());
  afterAll(() => registry.close());

  const page = (changes: { after?: string; limit?: number; host?: string } = {}) => ({
    limit: 100,
    host: null,
    idleSince: registry.now - day * 1000,
    ...changes,
  });
  const pending = (of: PendingKind, changes = {}) => registry.scrubbing().pending(of, page(changes));
  const queued = async (): Promise<string> => (await registry.images().create(alice, formats)).id;
  const delayed = { delayedDelete: true, scrubTime: 100 };

  it('are deletions whose delay is over, by pages, with their bytes', async () => {
    const images = registry.images(delayed);
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      const { id } = await registry.active();
      await images.beginDelete(alice, id);
      ids.push(id);
    }
    expect(await registry.scrubbing(delayed).pending('deletion', page())).toEqual([]);
    registry.pass(101);
    const seen: string[] = [];
    for (let after: string | undefined; ;) {
      const found = await registry.scrubbing(delayed).pending('deletion', page({ limit: 2, ...(after && { after }) }));
      for (const work of found) expect(work).toMatchObject({ kind: 'deletion', bytes: 5, store: null });
      seen.push(...found.map(({ imageId }) => imageId));
      if (found.length < 2) break;
      after = found.at(-1)!.key;
    }
    expect(seen).toEqual(ids.toSorted());
    const work = { kind: 'deletion', key: ids[0]!, idleSince: 0 } as const;
    const scrubbing = registry.scrubbing(delayed);
    expect(await scrubbing.claim(work, 'file')).toMatchObject({ kind: 'delete', imageId: ids[0], bytes: 5 });
    expect(await scrubbing.claim(work, 'file')).toBeUndefined();
    expect(await scrubbing.pending('deletion', page())).toHaveLength(4);
  });

  it('are deletions that are claimed and finished many at a time, each by one of several', async () => {
    const images = registry.images(delayed);
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) ids.push((await registry.active({ tags: ['t'] })).id);
    for (const id of ids) await images.beginDelete(alice, id);
    const scrubbing = registry.scrubbing(delayed);
    const elsewhere = registry.scrubbing(delayed, await registry.connectAgain());
    expect(await scrubbing.claimDeletions(ids)).toEqual([]);
    registry.pass(101);
    const claims = await Promise.all([scrubbing, elsewhere, scrubbing].map((some) => some.claimDeletions(ids)));
    const works = claims.flat();
    expect(works.map(({ imageId }) => imageId).sort()).toEqual(ids.toSorted());
    for (const work of works) {
      const { location } = stored(work.imageId);
      expect(work).toMatchObject({ kind: 'delete', locations: [location], bytes: 5 });
    }
    const [unbegun, late, ...rest] = works.map(({ imageId, lease }) => ({ imageId, token: lease.token }));
    await expect(images.restore(alice, unbegun!.imageId)).rejects.toMatchObject({ code: 'Conflict' });
    await scrubbing.giveBack([unbegun!.token]);
    expect(await images.restore(alice, unbegun!.imageId)).toMatchObject({ status: 'active', tags: ['t'] });
    for (const _ of 'twice') expect(await scrubbing.finishDeletions(rest)).toEqual([]);
    await expect(images.restore(alice, rest[0]!.imageId)).rejects.toMatchObject({ code: 'NotFound' });
    registry.pass(61);
    const [another] = await images.claimDue(10, 'abandoned');
    expect(another).toMatchObject({ imageId: late!.imageId });
    expect(await scrubbing.finishDeletions([late!, rest[0]!])).toEqual([late]);
    await scrubbing.giveBack([rest[0]!.token]);
    await images.finishDelete(another!.lease.token);
    expect(await scrubbing.finishDeletions([late!])).toEqual([]);
    expect(await pending('interrupted')).toEqual([]);
    await expect(scrubbing.claimDeletions(Array<string>(501).fill('x'))).rejects.toMatchObject({ code: 'Invalid' });
  });

  it('are interrupted uploads, which one of several gets', async () => {
    const id = await queued();
    await registry.images().beginUpload(alice, id, { store: 'fast', size: null });
    expect(await pending('interrupted')).toEqual([]);
    registry.pass(61);
    const [work] = await pending('interrupted');
    expect(work).toMatchObject({ imageId: id, store: 'fast', why: 'Its upload was interrupted.' });
    const claims = await Promise.all(
      [1, 2, 3].map(() => registry.scrubbing().claim({ ...work!, idleSince: 0 }, 'file')),
    );
    expect(claims.filter((claim) => claim !== undefined)).toMatchObject([{ kind: 'upload', store: 'fast' }]);
  });

  it('is what failed: again after pauses that double, with the reason, and at once from a plan', async () => {
    const images = registry.images(delayed);
    const { id } = await registry.active();
    await images.beginDelete(alice, id);
    registry.pass(101);
    let [due] = await images.claimDue(10);
    const waits: number[] = [];
    for (let attempts = 1; attempts <= 10; attempts++) {
      const { nextTry, ...postponed } = await registry.scrubbing().postpone(due!.lease.token, 'No route.');
      expect(postponed).toEqual({ attempts });
      const wait = Math.round((Date.parse(nextTry) - registry.now) / 1000);
      waits.push(wait);
      registry.pass(wait - 2);
      expect(await images.claimDue(10)).toEqual([]);
      registry.pass(4);
      [due] = await images.claimDue(10);
    }
    expect(waits.map((wait) => Math.round(wait / 10) * 10)).toEqual([
      60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600,
    ]);
    await registry.scrubbing().postpone(due!.lease.token, 'No route.');
    const [work] = await pending('interrupted');
    expect(work!.why).toBe('Erasing it has failed 11 times: No route.');
    expect((await registry.scrubbing().runs(admin, { limit: 10 })).backlog).toMatchObject({ images: 1, failing: 1 });
    const claimed = await registry.scrubbing().claim({ ...work!, idleSince: 0 }, 'file');
    expect(claimed).toMatchObject({ kind: 'delete', imageId: id });
    await images.finishDelete(claimed!.lease.token);
    expect((await registry.scrubbing().runs(admin, { limit: 10 })).backlog).toEqual({
      images: 0,
      bytes: 0,
      oldest: null,
      failing: 0,
    });
  });

  it('waits longer each time for data that is in use', async () => {
    const images = registry.images(delayed);
    const { id } = await registry.active();
    await images.beginDelete(alice, id);
    registry.pass(101);
    for (const wait of [300, 600, 1200]) {
      const [due] = await images.claimDue(1);
      await images.cancelDelete(due!.lease.token);
      registry.pass(wait - 1);
      expect(await images.claimDue(1)).toEqual([]);
      registry.pass(2);
    }
  });

  it.each(['saving', 'importing', 'uploading'] as const)(
    'is an image that Glance has left %s: it is queued again, and told why',
    async (status) => {
      const id = await queued();
      await registry.database.run('UPDATE images SET status = ? WHERE id = ?', [status, id]);
      expect(await pending('stuck')).toEqual([]);
      registry.pass(day + 5);
      const [work] = await pending('stuck');
      expect(work).toMatchObject({ key: id, why: `The image is ${status} and nobody works on it.` });
      const claim = { ...work!, idleSince: page().idleSince };
      const claimed = await registry.scrubbing().claim(claim, 'file');
      expect(claimed!.kind).toBe(status === 'uploading' ? 'stage' : 'upload');
      expect(await registry.scrubbing().claim(claim, 'file')).toBeUndefined();
      expect(await pending('stuck')).toEqual([]);
      await registry.images().renewLease(claimed!.lease.token);
      await registry.images().cancelUpload(claimed!.lease.token);
      expect((await registry.images().show(alice, id)).status).toBe('queued');
    },
  );

  it('is no image that somebody works on, or whose data is staged', async () => {
    const saving = await queued();
    await registry.images().beginUpload(alice, saving, { store: 'file', size: null });
    const staged = await queued();
    const { lease, name } = await registry.tasks().beginStage(alice, staged, { host: null, size: null });
    await registry.tasks().finishStage(lease.token, { url: `file:///staging/${name}`, size: 5 });
    registry.pass(2 * day);
    await registry.database.run('UPDATE image_leases SET expires_at = ?', [registry.now + 1000]);
    expect(await pending('stuck')).toEqual([]);
  });

  it('is staged data that nobody needs, of hosts that are reached', async () => {
    const names: string[] = [];
    for (const host of [null, 'here', 'there']) {
      const id = await queued();
      const { lease, name } = await registry.tasks().beginStage(alice, id, { host, size: null });
      await registry.images().cancelUpload(lease.token);
      names.push(name);
    }
    const found = await pending('staged', { host: 'here' });
    expect(found.map(({ key }) => key)).toEqual(names.slice(0, 2).toSorted());
  });

  it('is an import that nobody works on, which is undone', async () => {
    const id = await queued();
    await registry.tasks().beginImport(alice, id, {
      type: 'api_image_import',
      method: 'web-download',
      stores: ['fast', 'slow'],
      allStores: false,
      named: true,
      mustSucceed: true,
      source: { uri: 'http://192.0.2.1/' },
      input: {},
    });
    expect(await pending('import')).toEqual([]);
    registry.pass(day + 5);
    const [work] = await pending('import');
    expect(work).toMatchObject({ kind: 'import', imageId: id });
    const claimed = await registry.scrubbing().claim({ ...work!, idleSince: page().idleSince }, 'file');
    if (claimed?.kind !== 'import') throw new Error('It was not claimed.');
    expect(claimed.stores).toEqual(['fast', 'slow']);
    await registry.tasks().heartbeat(claimed.lease.token, 'undo', null);
    await registry.tasks().undone(claimed.taskId, claimed.lease.token);
    expect((await registry.images().show(alice, id)).status).toBe('queued');
    expect((await registry.tasks().show(admin, claimed.taskId)).message).toContain('No process has worked on this');
  });

  it('knows whose data is whose', async () => {
    const { id: active } = await registry.active();
    const waiting = (await registry.active()).id;
    await registry.images({ delayedDelete: true }).beginDelete(alice, waiting);
    const arriving = await queued();
    await registry.images().beginUpload(alice, arriving, { store: 'file', size: null });
    const empty = await queued();
    const gone = (await registry.active()).id;
    const { lease } = await registry.images().beginDelete(alice, gone);
    await registry.images().finishDelete(lease!.token);
    const elsewhere = randomUUID();
    const { id: nova } = await registry.active();
    const url = `rbd://fsid/images/${elsewhere.toUpperCase()}/snap`;
    await registry.database.run('UPDATE image_locations SET value = ? WHERE image_id = ?', [url, nova]);
    const stranger = randomUUID();
    const names = [active, waiting, arriving, empty, gone, elsewhere, nova, stranger, active.toUpperCase()];
    expect(await registry.scrubbing().unknown('store', names)).toEqual([empty, gone, stranger]);
    expect(await registry.scrubbing().unknown('staging', [active, empty, stranger])).toEqual([empty, stranger]);
    const cached = [active, waiting, arriving, empty, gone, elsewhere, stranger];
    expect(await registry.scrubbing().unknown('cache', cached)).toEqual([waiting, gone, elsewhere, stranger]);
    await registry.database.run('UPDATE image_locations SET value = ? WHERE image_id = ?', ['c2VjcmV0', nova]);
    await expect(registry.scrubbing().unknown('store', [stranger])).rejects.toMatchObject({ code: 'Conflict' });
  });

  it('keeps uploads out while what is left under their id is erased', async () => {
    const id = await queued();
    const lease = await registry.scrubbing().claimOrphan(id);
    const upload = () => registry.images().beginUpload(alice, id, { store: 'file', size: null });
    await expect(upload()).rejects.toMatchObject({ code: 'Conflict' });
    await registry.images().renewLease(lease!.token);
    expect(await registry.scrubbing().claimOrphan(id)).toBeUndefined();
    registry.pass(3600);
    expect(await registry.images().claimDue(10)).toEqual([]);
    await registry.scrubbing().finishOrphan(lease!.token);
    const { lease: uploading } = await upload();
    expect(await registry.scrubbing().claimOrphan(id)).toBeUndefined();
    await registry.images().finishUpload(uploading.token, stored(id));
    expect(await registry.scrubbing().claimOrphan(id)).toBeUndefined();
  });

  it('forgets a location whose data is missing, but never the last', async () => {
    const { id } = await registry.active();
    const url = `file:///var/lib/images/${id}`;
    const images = registry.images();
    await images.update(admin, id, [
      { kind: 'locations', op: 'add', locations: [{ url: `${url}.copy`, metadata: {}, size: 5 }] } as never,
    ]);
    const found = await registry.scrubbing().located({ limit: 10, imageId: id });
    expect(found.map(({ location }) => location.url)).toEqual([url, `${url}.copy`]);
    expect(await registry.scrubbing().located({ limit: 10, after: found[0]!.id })).toEqual([found[1]]);
    expect(await registry.scrubbing().forgetLocation(id, found[0]!.id)).toBe(true);
    expect(await registry.scrubbing().forgetLocation(id, found[1]!.id)).toBe(false);
    expect((await images.show(alice, id)).locations.map((each) => each.url)).toEqual([`${url}.copy`]);
  });

  it('has records of runs, the newest first, for administrators and for a while', async () => {
    const scrubbing = registry.scrubbing();
    const ids: string[] = [];
    for (const host of ['a', 'b', 'c']) {
      ids.push(await scrubbing.beginRun({ kind: 'run', host }));
      registry.pass(10);
    }
    const report = {
      outcomes: { deleted: 3, failed: 1 },
      bytes: 7,
      errors: Array.from({ length: 50 }, () => `😀${'x'.repeat(1000)}`),
    };
    await scrubbing.finishRun(ids[2]!, report);
    const { runs } = await scrubbing.runs(admin, { limit: 2 });
    expect(runs.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(runs[0]).toMatchObject({
      host: 'c',
      outcomes: report.outcomes,
      bytes: 7,
      startedAt: `${new Date(registry.now - 10_000).toISOString().slice(0, 19)}Z`,
    });
    expect(runs[0]!.errors).toHaveLength(20);
    expect(runs[1]!.finishedAt).toBeNull();
    expect((await scrubbing.runs(admin, { limit: 2, marker: ids[1]! })).runs.map(({ id }) => id)).toEqual([ids[0]]);
    await expect(scrubbing.runs(admin, { limit: 2, marker: 'none' })).rejects.toMatchObject({ code: 'Invalid' });
    await expect(scrubbing.runs(alice, { limit: 2 })).rejects.toMatchObject({ code: 'Forbidden' });
    registry.pass(91 * day);
    await scrubbing.beginRun({ kind: 'apply', host: 'd' });
    expect((await scrubbing.runs(admin, { limit: 10 })).runs).toHaveLength(1);
  });
});
