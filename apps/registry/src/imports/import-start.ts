import { randomUUID } from 'node:crypto';
import {
  type Caller,
  type Image,
  type ImageStatus,
  type ImportMethod,
  type ImportRequest,
  type JsonObject,
  type LocationRequest,
  ServiceError,
  type Task,
} from '@glance/domain';
import type { Statements } from '../database/session.js';
import { insert } from '../images/image-writes.js';
import { imageEvent, prepareEvent, taskEvent } from '../notifications/events.js';
import type { Outbox } from '../notifications/outbox.js';
import type { Allowance } from '../quotas/project-quotas.js';
import { assertUnlocked } from './import-lock.js';
import { importLock, saveMarked, stageHost, withProgress, without } from './import-marks.js';
import { type ImportWork, type TargetState, toTargetsColumn, toWorkColumn } from './import-rows.js';
import type { StagingRows } from './staging.js';
import { buryExpiredTasks, findTask, insertTask, newTask } from './task-rows.js';

const needed: Readonly<Record<ImportMethod, ImageStatus>> = {
  'glance-direct': 'uploading',
  'web-download': 'queued',
  'glance-download': 'queued',
  'copy-image': 'active',
};

/** Puts imports into the queue. */
export class ImportStart {
  constructor(
    readonly staging: StagingRows,
    readonly outbox: Outbox,
    readonly clock: () => number,
  ) {}

  /** `image` is locked, and the caller may import into it. Undefined when no store is left to copy to. */
  async begin(
    tx: Statements,
    caller: Caller,
    image: Image,
    request: ImportRequest,
    allowance?: Allowance,
  ): Promise<Task | undefined> {
    assertReady(image, request);
    await assertUnlocked(tx, image, this.clock());
    const targets = targetsOf(image, request);
    if (targets.length === 0) return undefined;
    const staged = request.method === 'glance-direct' ? await this.#staged(tx, image) : undefined;
    const { type, method, mustSucceed, source, named, certificate, input } = request;
    const size = staged?.data.size ?? (method === 'copy-image' ? image.size : null);
    const reserved = allowance && size !== null ? size * targets.length : null;
    // One that is staged is being uploaded already.
    await allowance?.admit(tx, { uploading: method === 'glance-direct' ? 0 : 1, storage: reserved ?? 0 });
    const { roles } = caller;
    const about = { type, method, mustSucceed, source, named, ...(certificate && { certificate }) };
    const work: ImportWork = { ...about, roles, staged: staged?.data.name ?? null };
    return this.#enqueue(tx, caller, image, { work, targets, input, host: staged?.host ?? null, reserved });
  }

  /** `image` is locked, and the caller may let it refer to this location. */
  async beginLocation(
    tx: Statements,
    caller: Caller,
    image: Image,
    request: LocationRequest & { readonly store: string },
    allowance?: Allowance,
  ): Promise<Task> {
    await assertUnlocked(tx, image, this.clock());
    await allowance?.room(tx, 'storage');
    const { location, digests, hash, store, input } = request;
    const { roles } = caller;
    const source = { location, hash, ...(digests && { digests }) };
    const about = { type: 'location_import', method: 'add-location', mustSucceed: false, named: false } as const;
    const work: ImportWork = { ...about, source, roles, staged: null };
    return this.#enqueue(tx, caller, image, {
      work,
      targets: [{ store, state: 'waiting' }],
      input,
      host: null,
      reserved: null,
    });
  }

  async #enqueue(
    tx: Statements,
    caller: Caller,
    image: Image,
    {
      work,
      targets,
      input,
      host,
      reserved,
    }: {
      readonly work: ImportWork;
      readonly targets: readonly TargetState[];
      readonly input: JsonObject;
      readonly host: string | null;
      readonly reserved: number | null;
    },
  ): Promise<Task> {
    const id = randomUUID();
    const now = new Date(this.clock());
    const task = newTask(caller, { id, type: work.type, imageId: image.id }, input);
    await buryExpiredTasks(tx, task.owner, now);
    await insertTask(tx, task, now);
    const context = this.outbox.contextOf(caller);
    const row = { task_id: id, image_id: image.id, owner: task.owner, token: '', expires_at: 0, created_at: +now };
    const plan = { attempts: 0, host, duty: 'run', reason: null, context, reserved };
    const json = { work: toWorkColumn(work, tx.cipher), targets: toTargetsColumn(targets, tx.cipher) };
    await insert(tx, 'import_tasks', [{ ...row, ...plan, ...json }]);
    await this.#mark(tx, image, { id, targets, work, context });
    const created = await findTask(tx, id);
    await this.outbox.add(tx, context, taskEvent('task.create', created));
    return created;
  }

  async #mark(
    tx: Statements,
    image: Image,
    {
      id,
      targets,
      work,
      context,
    }: {
      readonly id: string;
      readonly work: ImportWork;
      readonly targets: readonly TargetState[];
      readonly context: string | null;
    },
  ): Promise<void> {
    const kept = without(image.properties, stageHost);
    const properties = withProgress({ ...kept, [importLock]: id }, targets, work);
    const status = work.method === 'copy-image' ? image.status : 'importing';
    const marked = await saveMarked(tx, image, { ...image, status, properties }, new Date(this.clock()));
    // Glance: data that lies somewhere already is not stored.
    const stored = work.method === 'add-location' ? [] : targets;
    const prepare = stored.map(({ store }) => prepareEvent(marked, work.named ? store : undefined));
    await this.outbox.add(tx, context, imageEvent('image.update', marked), ...prepare);
  }

  async #staged(tx: Statements, image: Image) {
    const staged = await this.staging.find(tx, image.id);
    if (staged) return staged;
    throw new ServiceError('Conflict', 'The data of this image is still being staged; import it when that has ended.');
  }
}

function assertReady(image: Image, { method }: ImportRequest): void {
  const status = needed[method];
  if (image.status !== status) {
    throw new ServiceError(
      'Conflict',
      `By ${method}, only an image that is ${status} can be imported; this one is ${image.status}.`,
    );
  }
  if (image.diskFormat === null || image.containerFormat === null) {
    throw new ServiceError('Conflict', 'The disk and container formats of an image must be set before its import.');
  }
}

function targetsOf(image: Image, { method, stores, allStores }: ImportRequest): TargetState[] {
  const present = method === 'copy-image' ? image.locations.map(({ metadata }) => metadata['store']) : [];
  const there = stores.find((store) => present.includes(store));
  if (there !== undefined && !allStores) {
    throw new ServiceError('Invalid', `The store "${there}" has this image already.`);
  }
  return stores.filter((store) => !present.includes(store)).map((store) => ({ store, state: 'waiting' }));
}
