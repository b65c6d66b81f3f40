import {
  type Caller,
  type ClaimedTask,
  type Image,
  type ImportRequest,
  ServiceError,
  type Tasks,
} from '@glance/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noOutbox, Outbox } from '../notifications/outbox.js';
import { databaseKinds } from '../testing/database.js';
import { admin, alice, bob, formats, stored, TestRegistry } from '../testing/registry.js';

const request = (changes: Partial<ImportRequest> = {}): ImportRequest => ({
  type: 'api_image_import',
  method: 'web-download',
  stores: ['file'],
  allStores: false,
  named: true,
  mustSucceed: true,
  source: { uri: 'http://example.org/image' },
  input: {},
  ...changes,
});

const code = (code: string) => expect.objectContaining({ code }) as unknown as ServiceError;

describe.each(databaseKinds)('imports on $name', (kind) => {
  let registry: TestRegistry;
  let tasks: Tasks;
  const images = () => registry.images();
  const show = (id: string): Promise<Image> => images().show(admin, id);
  const dataIn = (store: string, id: string) => ({
    ...stored(id),
    location: { url: `${store}://${id}`, metadata: { store } },
  });

  beforeAll(async () => {
    registry = await TestRegistry.on(kind);
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    await registry.empty();
    tasks = registry.tasks();
  });

  const queued = async (): Promise<string> => (await images().create(alice, formats)).id;
  async function begun(
    changes: Partial<ImportRequest> = {},
    caller: Caller = alice,
  ): Promise<{ id: string; task: string }> {
    const id = await queued();
    const task = await tasks.beginImport(caller, id, request(changes));
    return { id, task: task!.id };
  }
  async function claim(host: string | null = null): Promise<ClaimedTask> {
    const claimed = await tasks.claim({ host, limit: 10 });
    expect(claimed).toHaveLength(1);
    return claimed[0]!;
  }
  async function staged(host: string | null): Promise<string> {
    const id = await queued();
    const { lease, name } = await tasks.beginStage(alice, id, { host, size: null });
    await tasks.finishStage(lease.token, { url: `stage://${name}`, size: 5 });
    return id;
  }

  describe('staging', () => {
    it('goes from queued over uploading to an import', async () => {
      const id = await queued();
      const { lease, name, image } = await tasks.beginStage(alice, id, { host: null, size: null });
      expect(image.status).toBe('uploading');
      await expect(tasks.beginImport(alice, id, request({ method: 'glance-direct' }))).rejects.toEqual(
        code('Conflict'),
      );
      await images().renewLease(lease.token);
      await tasks.finishStage(lease.token, { url: `stage://${name}`, size: 5 });
      await tasks.finishStage(lease.token, { url: `stage://${name}`, size: 5 });
      expect(await show(id)).toMatchObject({ status: 'uploading', size: 5 });
      await tasks.beginImport(alice, id, request({ method: 'glance-direct' }));
      const { staged } = await claim();
      expect(staged).toEqual({ name, size: 5, location: { url: `stage://${name}`, metadata: {} } });
    });

    it('that dies leaves a queued image, and a name to discard', async () => {
      const id = await queued();
      const { name } = await tasks.beginStage(alice, id, { host: 'http://one', size: null });
      registry.pass(61);
      const [work] = await images().claimDue(10);
      expect(work).toMatchObject({ kind: 'stage', imageId: id });
      await images().cancelUpload(work!.lease.token);
      expect(await show(id)).toMatchObject({ status: 'queued', size: null, properties: {} });
      expect(await tasks.abandonedStaging('http://two', 10)).toEqual([]);
      expect(await tasks.abandonedStaging('http://one', 10)).toEqual([name]);
      await tasks.forgetStaging([name]);
      expect(await tasks.abandonedStaging('http://one', 10)).toEqual([]);
      await tasks.beginStage(alice, id, { host: null, size: null });
    });

    it('is not for strangers, nor for more than an image may have', async () => {
      const id = await queued();
      const incoming = { host: null, size: null };
      await expect(tasks.beginStage(bob, id, incoming)).rejects.toEqual(code('NotFound'));
      await expect(tasks.beginStage(alice, id, { host: null, size: 2 ** 41 })).rejects.toEqual(code('LimitExceeded'));
    });

    it('ends with the image', async () => {
      const id = await queued();
      const { lease } = await tasks.beginStage(alice, id, { host: null, size: null });
      await images().beginDelete(alice, id);
      await expect(images().renewLease(lease.token)).rejects.toEqual(code('Gone'));
      await expect(tasks.finishStage(lease.token, { url: 'x', size: 1 })).rejects.toEqual(code('Gone'));
      expect(await tasks.abandonedStaging(null, 10)).toHaveLength(1);
    });
  });

  describe('an import', () => {
    it('is claimed once, shows how far it is, and ends with an active image', async () => {
      const { id, task } = await begun();
      expect(await tasks.show(admin, task)).toMatchObject({ status: 'pending', imageId: id, owner: 'alice' });
      expect(await show(id)).toMatchObject({
        status: 'importing',
        properties: { os_glance_import_task: task, os_glance_importing_to_stores: 'file', os_glance_failed_import: '' },
      });
      const claimed = await claim();
      expect(await tasks.claim({ host: null, limit: 10 })).toEqual([]);
      expect(claimed).toMatchObject({
        id: task,
        duty: 'run',
        attempt: 1,
        targets: [{ store: 'file', state: 'waiting' }],
      });
      const { token } = claimed.lease;
      await tasks.heartbeat(token, 'run', { step: 'write', done: 2 ** 20, total: 4 * 2 ** 20, rate: 2 ** 20 });
      expect(await tasks.show(admin, task)).toMatchObject({
        status: 'processing',
        message: 'Copied 1.0 MiB of 4.0 MiB (25 %), 1.0 MiB/s, step: write',
      });
      for (const _ of 'twice') await tasks.written(token, 'file', dataIn('file', id));
      expect(await show(id)).toMatchObject({ status: 'importing', locations: [] });
      for (const _ of 'twice') await tasks.finish(task, token);
      expect(await show(id)).toMatchObject({
        status: 'active',
        size: 5,
        locations: [{ url: `file://${id}` }],
        properties: { os_glance_importing_to_stores: '', os_glance_failed_import: '' },
      });
      expect((await show(id)).properties).not.toHaveProperty('os_glance_import_task');
      const over = await tasks.show(admin, task);
      expect(over).toMatchObject({ status: 'success', result: { image_id: id } });
      expect(Date.parse(over.expiresAt!) - Date.parse(over.updatedAt)).toBe(48 * 3_600_000);
    });

    it('whose worker died is handed to another, who undoes it after three deaths', async () => {
      const { id, task } = await begun();
      const first = await claim();
      registry.pass(19);
      expect(await tasks.claim({ host: null, limit: 10 })).toEqual([]);
      registry.pass(2);
      const second = await claim();
      expect(second).toMatchObject({ duty: 'run', attempt: 2 });
      await expect(tasks.heartbeat(first.lease.token, 'run', null)).rejects.toEqual(code('Gone'));
      await expect(tasks.written(first.lease.token, 'file', dataIn('file', id))).rejects.toEqual(code('Gone'));
      registry.pass(21);
      expect(await claim()).toMatchObject({ duty: 'run', attempt: 3 });
      registry.pass(21);
      const last = await claim();
      expect(last.duty).toBe('undo');
      for (const _ of 'twice') await tasks.undone(task, last.lease.token);
      expect(await tasks.show(admin, task)).toMatchObject({
        status: 'failure',
        message: expect.stringMatching(/stopped 3 times/) as string,
      });
      expect(await show(id)).toMatchObject({
        status: 'queued',
        properties: { os_glance_importing_to_stores: '', os_glance_failed_import: 'file' },
      });
    });

    it('that is released is free at once, and no death is counted', async () => {
      await begun();
      for (const _ of '1234567') {
        const { lease, duty } = await claim();
        expect(duty).toBe('run');
        await tasks.release(lease.token);
      }
      expect(await claim()).toMatchObject({ attempt: 2 });
    });

    it('that is given up is undone, by whoever', async () => {
      const { id, task } = await begun();
      const { lease } = await claim();
      for (const _ of 'twice') await tasks.giveUp(lease.token, 'No luck.');
      await expect(tasks.heartbeat(lease.token, 'run', null)).rejects.toEqual(code('Gone'));
      await expect(tasks.finish(task, lease.token)).rejects.toEqual(code('Gone'));
      await tasks.heartbeat(lease.token, 'undo', null);
      registry.pass(21);
      const other = await claim();
      expect(other.duty).toBe('undo');
      await tasks.undone(task, other.lease.token);
      expect(await tasks.show(admin, task)).toMatchObject({ status: 'failure', message: 'No luck.' });
      expect(await tasks.beginImport(alice, id, request())).toMatchObject({ status: 'pending' });
    });

    it('into several stores makes the image active by the first, if not all must succeed', async () => {
      const { id, task } = await begun({ stores: ['a', 'b', 'c'], mustSucceed: false });
      const { lease } = await claim();
      await tasks.written(lease.token, 'b', dataIn('b', id));
      expect(await show(id)).toMatchObject({
        status: 'active',
        locations: [{ url: `b://${id}` }],
        properties: { os_glance_importing_to_stores: 'a,c' },
      });
      for (const _ of 'twice') await tasks.failed(lease.token, 'a', 'It is full.');
      expect((await show(id)).properties).toMatchObject({
        os_glance_importing_to_stores: 'c',
        os_glance_failed_import: 'a',
      });
      await tasks.written(lease.token, 'c', dataIn('c', id));
      await tasks.finish(task, lease.token);
      expect(await tasks.show(admin, task)).toMatchObject({
        status: 'success',
        message: expect.stringContaining('Store a failed: It is full.') as string,
      });
      expect((await show(id)).locations).toHaveLength(2);
      expect((await show(id)).properties).toEqual({ os_glance_importing_to_stores: '', os_glance_failed_import: 'a' });
    });

    it('is given up when its image is deleted or its task cancelled', async () => {
      const deleted = await begun();
      const { lease } = await claim();
      await images().beginDelete(alice, deleted.id);
      await expect(tasks.heartbeat(lease.token, 'run', null)).rejects.toEqual(code('Gone'));
      await tasks.release(lease.token);
      const undo = await claim();
      expect(undo).toMatchObject({ duty: 'undo', targets: [{ store: 'file', state: 'waiting' }] });
      expect(undo.image).toBeUndefined();
      await tasks.undone(deleted.task, undo.lease.token);
      expect(await tasks.show(admin, deleted.task)).toMatchObject({
        status: 'failure',
        message: 'The image was deleted.',
      });

      const cancelled = await begun();
      await expect(tasks.cancel(bob, cancelled.task)).rejects.toEqual(code('NotFound'));
      await tasks.cancel(alice, cancelled.task);
      const other = await claim();
      expect(other.duty).toBe('undo');
      await tasks.undone(cancelled.task, other.lease.token);
      expect(await show(cancelled.id)).toMatchObject({ status: 'queued' });
      await expect(tasks.cancel(alice, cancelled.task)).rejects.toEqual(code('Conflict'));
    });

    it('needs the right status, formats, and nobody else at work', async () => {
      const { id } = await begun();
      await expect(tasks.beginImport(alice, id, request())).rejects.toEqual(code('Conflict'));
      await expect(tasks.beginImport(alice, id, request({ method: 'copy-image' }))).rejects.toEqual(code('Forbidden'));
      await expect(tasks.beginImport(bob, id, request())).rejects.toEqual(code('NotFound'));
      const bare = await images().create(alice, {});
      await expect(tasks.beginImport(alice, bare.id, request())).rejects.toEqual(code('Conflict'));
      const active = await registry.active();
      await expect(tasks.beginImport(alice, active.id, request())).rejects.toEqual(code('Conflict'));
    });

    it('of a Glance that died does not lock the image for ever', async () => {
      const id = await queued();
      const lock = `INSERT INTO image_properties (image_id, name, value, created_at, deleted) VALUES (?, 'os_glance_import_task', ?, ?, 0)`;
      const time = registry.database.dialect.time(new Date(registry.now));
      await registry.database.run(lock, [id, 'other-task', time]);
      const insert =
        "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted) VALUES ('other-task', 'api_image_import', 'processing', 'alice', ?, ?, 0)";
      await registry.database.run(insert, [time, time]);
      await registry.database.run("INSERT INTO task_info (task_id) VALUES ('other-task')");
      registry.pass(59 * 60);
      await expect(tasks.beginImport(alice, id, request())).rejects.toEqual(code('Conflict'));
      registry.pass(2 * 60);
      await tasks.beginImport(alice, id, request());
      expect(await tasks.show(admin, 'other-task')).toMatchObject({
        status: 'failure',
        message: 'Expired lock preempted',
      });
    });
  });

  describe('a copy', () => {
    const copy = (stores: string[], changes: Partial<ImportRequest> = {}) =>
      request({ method: 'copy-image', stores, ...changes });

    it('adds locations to an active image, and leaves it active when it fails', async () => {
      const { id } = await registry.active();
      const task = await tasks.beginImport(admin, id, copy(['a', 'b']));
      expect((await show(id)).status).toBe('active');
      const { lease } = await claim();
      await tasks.written(lease.token, 'a', dataIn('a', id));
      await tasks.giveUp(lease.token, 'b is full.');
      await tasks.undone(task!.id, lease.token);
      expect(await show(id)).toMatchObject({
        status: 'active',
        size: 5,
        properties: { os_glance_importing_to_stores: '', os_glance_failed_import: 'a,b' },
      });
      expect((await show(id)).locations).toHaveLength(1);
      const again = await tasks.beginImport(admin, id, copy(['a']));
      const next = await claim();
      await tasks.written(next.lease.token, 'a', dataIn('a', id));
      await tasks.finish(again!.id, next.lease.token);
      expect((await show(id)).locations.map(({ metadata }) => metadata['store'])).toEqual(['file', 'a']);
    });

    it('is for administrators, and only to stores without the image', async () => {
      const { id } = await registry.active();
      await expect(tasks.beginImport(alice, id, copy(['a']))).rejects.toEqual(code('Forbidden'));
      await expect(tasks.beginImport(admin, id, copy(['a', 'file']))).rejects.toEqual(code('Invalid'));
      expect(await tasks.beginImport(admin, id, copy(['file'], { allStores: true }))).toBeUndefined();
      await tasks.beginImport(admin, id, copy(['a', 'file'], { allStores: true }));
      expect((await claim()).targets).toEqual([{ store: 'a', state: 'waiting' }]);
    });
  });

  it('tell what becomes of image and task', async () => {
    const outbox = new Outbox({ drivers: ['messagingv2'], disabled: [] }, () => registry.now);
    tasks = registry.tasks({}, outbox);
    const told = async (): Promise<string[]> => {
      const rows = await registry.database.rows<{ event_type: string; priority: string; payload: string }>(
        'SELECT event_type, priority, payload FROM notification_outbox ORDER BY id',
      );
      await registry.database.run('DELETE FROM notification_outbox');
      for (const { payload } of rows) expect(payload).not.toContain('example.org');
      return rows.map(({ event_type: type, priority }) => (priority === 'INFO' ? type : `${type} ${priority}`));
    };
    const good = await begun();
    const { lease } = await claim();
    await tasks.written(lease.token, 'file', dataIn('file', good.id));
    await tasks.finish(good.task, lease.token);
    expect(await told()).toEqual([
      ...['image.update', 'image.prepare', 'task.create', 'task.run', 'task.processing', 'image.update'],
      ...['image.upload', 'image.activate', 'image.update', 'task.success'],
    ]);
    const bad = await begun();
    const failing = await claim();
    await tasks.giveUp(failing.lease.token, 'No luck.');
    await tasks.undone(bad.task, failing.lease.token);
    expect((await told()).slice(5)).toEqual(['image.update', 'image.upload ERROR', 'task.failure']);
  });

  describe('the queue', () => {
    it('gives work on staged data to the host that has it, or to undo when that is gone', async () => {
      await tasks.claim({ host: 'http://one', limit: 0 });
      const id = await staged('http://one');
      await tasks.beginImport(alice, id, request({ method: 'glance-direct' }));
      expect(await tasks.claim({ host: 'http://two', limit: 10 })).toEqual([]);
      expect(await claim('http://one')).toMatchObject({ duty: 'run' });
      registry.pass(40);
      expect(await tasks.claim({ host: 'http://two', limit: 10 })).toEqual([]);
      registry.pass(10);
      const { duty, lease, id: task } = await claim('http://two');
      expect(duty).toBe('undo');
      await tasks.undone(task, lease.token);
      expect(await tasks.show(admin, task)).toMatchObject({ message: expect.stringContaining('http://one') as string });
      expect(await tasks.abandonedStaging('http://two', 10)).toEqual([]);
      expect(await tasks.abandonedStaging('http://one', 10)).toHaveLength(1);
    });

    it('lets no project take it all', async () => {
      tasks = registry.tasks({ tasksPerProject: 2 });
      for (let n = 0; n < 5; n++) await begun();
      const { id } = await images().create(bob, formats);
      await tasks.beginImport(bob, id, request());
      const owners = (await tasks.claim({ host: null, limit: 10 })).map(({ image }) => image?.owner);
      expect(owners.toSorted()).toEqual(['alice', 'alice', 'bob']);
      expect(await tasks.claim({ host: null, limit: 10 })).toEqual([]);
    });

    it('hands each task to one of many', async () => {
      for (let n = 0; n < 6; n++) await begun();
      const other = await registry.connectAgain();
      const claims = [registry.tasks(), registry.tasks({}, noOutbox, other), registry.tasks()];
      const got = await Promise.all(claims.map((each) => each.claim({ host: null, limit: 6 })));
      const ids = got.flat().map(({ id }) => id);
      expect(ids).toHaveLength(6);
      expect(new Set(ids).size).toBe(6);
    });
  });

  describe('tasks', () => {
    it('are listed page by page, without what they were asked for', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 5; n++) {
        ids.push((await begun()).task);
        registry.pass(n % 2);
      }
      const query = { sortKey: 'createdAt', direction: 'desc', limit: 2 } as const;
      const seen: string[] = [];
      for (let page = await tasks.list(admin, query); page.length > 0;) {
        seen.push(...page.map(({ id }) => id));
        expect(page[0]).toMatchObject({ input: null, message: '' });
        page = await tasks.list(admin, { ...query, marker: seen.at(-1)! });
      }
      expect(seen.toSorted()).toEqual(ids.toSorted());
      expect(await tasks.list(admin, { ...query, status: 'success' })).toEqual([]);
      expect(await tasks.list(admin, { ...query, type: 'api_image_import', limit: 10 })).toHaveLength(5);
      await expect(tasks.list(admin, { ...query, marker: 'none' })).rejects.toEqual(code('Invalid'));
    });

    it('are for administrators, but those of an image for its project', async () => {
      const { id, task } = await begun();
      await expect(tasks.show(alice, task)).rejects.toEqual(code('Forbidden'));
      await expect(tasks.list(alice, { sortKey: 'id', direction: 'asc', limit: 1 })).rejects.toEqual(code('Forbidden'));
      await expect(tasks.show(admin, 'none')).rejects.toEqual(code('NotFound'));
      expect(await tasks.ofImage(alice, id)).toMatchObject([{ id: task }]);
      await expect(tasks.ofImage(bob, id)).rejects.toEqual(code('NotFound'));
    });

    it('go when their time is over', async () => {
      const { task } = await begun();
      const { lease } = await claim();
      await tasks.giveUp(lease.token, 'x');
      await tasks.undone(task, lease.token);
      registry.pass(49 * 3600);
      await begun();
      await expect(tasks.show(admin, task)).rejects.toEqual(code('NotFound'));
    });
  });
});
