import {
  type Caller,
  type ClaimedDigests,
  type ClaimedTask,
  type ImportedData,
  type ImportProgress,
  type ImportRequest,
  type ImportWorker,
  type Lease,
  type LocationRequest,
  ServiceError,
  type Staging,
  type Task,
  type TaskQuery,
  type Tasks,
} from '@glance/domain';
import { Authorization, type Rights, type Rule } from '../authorization/authorization.js';
import { ownTarget, seenTarget } from '../authorization/target.js';
import type { RegistrySettings } from '../config.js';
import type { Database } from '../database/database.js';
import { findImage, findLocked, findVisible } from '../images/find-image.js';
import { Leases } from '../images/leases.js';
import { noOutbox, type Outbox } from '../notifications/outbox.js';
import { noQuotas } from '../quotas/project-quotas.js';
import { checkNewLocation } from './new-location.js';
import { ImportOutcome } from './import-outcome.js';
import { ImportQueue } from './import-queue.js';
import { abandonImports, importRows } from './import-rows.js';
import { ImportStart } from './import-start.js';
import { StagingRows } from './staging.js';
import { findTask, listTasks, tasksOfImage } from './task-rows.js';

const hour = 3_600_000;

/** The contract `Tasks` on Glance's tables and ours. Every change is one transaction. */
export class TasksInDatabase implements Tasks {
  readonly #staging: StagingRows;
  readonly #start: ImportStart;
  readonly #queue: ImportQueue;
  readonly #outcome: ImportOutcome;

  constructor(
    readonly database: Database,
    settings: RegistrySettings,
    clock: () => number = Date.now,
    readonly outbox: Outbox = noOutbox,
    readonly authorization = new Authorization(),
    readonly quotas = noQuotas,
  ) {
    const leases = new Leases(settings.uploadLeaseTime * 1000, clock);
    this.#staging = new StagingRows(database, leases, settings.imageSizeCap, outbox);
    this.#start = new ImportStart(this.#staging, outbox, clock);
    this.#queue = new ImportQueue(database, settings, this.#staging, outbox, clock);
    this.#outcome = new ImportOutcome(database, outbox, clock, settings.taskTimeToLive * hour);
  }

  async beginStage(
    caller: Caller,
    imageId: string,
    incoming: { host: string | null; size: number | null },
  ): Promise<Staging> {
    const rights = await this.authorization.of(caller);
    const allowance = await this.quotas.ofImage(this.database, imageId);
    return this.database.transaction(async (tx) => {
      const image = await findLocked(tx, rights, imageId);
      await rights.require('modify_image', seenTarget(caller, image));
      return this.#staging.begin(tx, image, incoming, this.outbox.contextOf(caller), allowance);
    });
  }

  finishStage(token: string, staged: { url: string; size: number }): Promise<void> {
    return this.#staging.finish(token, staged);
  }

  abandonedStaging(host: string | null, limit: number): Promise<readonly string[]> {
    return this.#staging.abandoned(host, limit);
  }

  forgetStaging(names: readonly string[]): Promise<void> {
    return this.#staging.forget(names);
  }

  async beginImport(caller: Caller, imageId: string, request: ImportRequest): Promise<Task | undefined> {
    const rights = await this.authorization.of(caller);
    const rule: Rule = request.method === 'copy-image' ? 'copy_image' : 'modify_image';
    const allowance = await this.quotas.ofImage(this.database, imageId);
    return this.database.transaction(async (tx) => {
      const image = await findLocked(tx, rights, imageId);
      await rights.require(rule, seenTarget(caller, image));
      return this.#start.begin(tx, caller, image, request, allowance);
    });
  }

  async assertMayCreate(caller: Caller): Promise<void> {
    await this.#tasksApi(caller, 'add_task');
  }

  async show(caller: Caller, id: string): Promise<Task> {
    const rights = await this.#tasksApi(caller, 'get_task');
    return findTask(this.database, id, ownerFor(rights));
  }

  async list(caller: Caller, query: TaskQuery): Promise<readonly Task[]> {
    const rights = await this.#tasksApi(caller, 'get_tasks');
    return listTasks(this.database, query, ownerFor(rights));
  }

  async ofImage(caller: Caller, imageId: string): Promise<readonly Task[]> {
    const rights = await this.authorization.of(caller);
    await findVisible(this.database, rights, imageId);
    if (caller.anonymous) return [];
    return tasksOfImage(this.database, imageId, ownerFor(rights));
  }

  async cancel(caller: Caller, id: string): Promise<void> {
    const rights = await this.authorization.of(caller);
    await this.database.transaction(async (tx) => {
      const task = await findTask(tx, id, ownerFor(rights));
      const image = task.imageId === null ? undefined : await findImage(tx, task.imageId);
      const allowed = image && (await rights.allows('modify_image', seenTarget(caller, image)));
      if (!allowed) await rights.require('tasks_api_access', ownTarget(caller));
      await rights.require('modify_task', ownTarget(caller));
      const [row] = await importRows(tx, 'task_id = ?', [id]);
      if (!row) throw new ServiceError('Conflict', `The task ${id} is over: its status is ${task.status}.`);
      await abandonImports(tx, row.image_id, 'The import was cancelled.');
    });
  }

  async beginLocation(caller: Caller, imageId: string, request: LocationRequest): Promise<Task> {
    const rights = await this.authorization.of(caller);
    const allowance = await this.quotas.ofImage(this.database, imageId);
    return this.database.transaction(async (tx) => {
      const image = await findLocked(tx, rights, imageId);
      const store = await checkNewLocation(tx, image, request, rights);
      return this.#start.beginLocation(tx, caller, image, { ...request, store }, allowance);
    });
  }

  claim(worker: ImportWorker): Promise<readonly ClaimedTask[]> {
    return this.#queue.claim(worker);
  }

  async heartbeat(
    token: string,
    duty: ClaimedTask['duty'],
    progress: ImportProgress | null,
    size?: number,
  ): Promise<Lease> {
    if (size !== undefined && this.quotas.enforced) await this.#queue.reserve(token, size, this.quotas);
    return this.#queue.heartbeat(token, duty, progress);
  }

  release(token: string): Promise<void> {
    return this.#queue.release(token);
  }

  written(token: string, store: string, data: ImportedData): Promise<void> {
    return this.#outcome.written(token, store, data);
  }

  failed(token: string, store: string, reason: string): Promise<void> {
    return this.#outcome.failed(token, store, reason);
  }

  hashed(token: string, digests: ClaimedDigests): Promise<void> {
    return this.#outcome.hashed(token, digests);
  }

  finish(id: string, token: string): Promise<void> {
    return this.#outcome.finish(id, token);
  }

  giveUp(token: string, reason: string): Promise<void> {
    return this.#outcome.giveUp(token, reason);
  }

  undone(id: string, token: string): Promise<void> {
    return this.#outcome.undone(id, token);
  }

  async #tasksApi(caller: Caller, rule: Rule): Promise<Rights> {
    const rights = await this.authorization.of(caller);
    await rights.require('tasks_api_access', ownTarget(caller));
    await rights.require(rule, ownTarget(caller));
    return rights;
  }
}

/** An administrator sees everybody's. */
function ownerFor({ isAdmin, caller }: Rights): string | undefined {
  return isAdmin ? undefined : (caller.projectId ?? '');
}
