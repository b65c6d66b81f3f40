import type { ClaimedDigests, Image, ImportedData, JsonObject, TaskStatus } from '@glance/domain';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { findImage } from '../images/find-image.js';
import { insertLocations } from '../images/image-writes.js';
import { leaseLost } from '../images/leases.js';
import { imageEvent, taskEvent, uploadEvent, uploadFailedEvent } from '../notifications/events.js';
import type { Outbox } from '../notifications/outbox.js';
import { saveMarked, unlocked, withProgress } from './import-marks.js';
import { type ImportRow, mine, saveTargets, type TargetState, withTask } from './import-rows.js';
import { changeTask, findTask } from './task-rows.js';

/** What comes of imports: every method is one transaction, and bears being repeated. */
export class ImportOutcome {
  constructor(
    readonly database: Database,
    readonly outbox: Outbox,
    readonly clock: () => number,
    /** Milliseconds that tasks are kept. */
    readonly keep: number,
  ) {}

  written(token: string, store: string, data: ImportedData): Promise<void> {
    return this.#settle(token, store, async (tx, image, row, target) => {
      // One that needs all stores shows nothing before all of them are done.
      const located = !row.work.mustSucceed;
      const targets = row.targets.map((other): TargetState =>
        other === target ? { store, state: 'written', data, located } : other,
      );
      const before = located ? await this.#locate(tx, image, [data], row) : image;
      return { targets, before };
    });
  }

  failed(token: string, store: string, reason: string): Promise<void> {
    return this.#settle(token, store, async (tx, image, row, target) => {
      const targets = row.targets.map((other): TargetState =>
        other === target ? { store, state: 'failed', reason } : other,
      );
      await this.outbox.add(tx, row.context, uploadFailedEvent(image.id, reason));
      return { targets, before: image };
    });
  }

  hashed(token: string, digests: ClaimedDigests): Promise<void> {
    return withTask(this.database, token, async (tx, found) => {
      const row = mine(found, 'run');
      const image = await findImage(tx, row.image_id);
      if (!image) throw leaseLost();
      await this.#save(tx, image, { ...image, ...digests }, row.context);
    });
  }

  finish(id: string, token: string): Promise<void> {
    return withTask(this.database, token, async (tx, row) => {
      if (!row) return this.#repeated(tx, id, 'success');
      const task = mine(row, 'run');
      const image = await findImage(tx, task.image_id);
      if (!image) throw leaseLost();
      const unseen = task.targets.flatMap(({ data, located }) => (data && !located ? [data] : []));
      const known = await this.#locate(tx, image, unseen, task);
      const failed = task.targets.filter(({ state }) => state === 'failed');
      const message = failed.map(({ store, reason }) => `Store ${store} failed: ${reason}`).join(' ');
      const size = known.size === null ? '' : `Copied ${Math.ceil(known.size / 1024 ** 2)} MiB. `;
      await this.#save(tx, known, { ...known, properties: unlocked(known.properties) }, task.context);
      await this.#end(tx, task, { status: 'success', message: (size + message).trim() });
    });
  }

  giveUp(token: string, reason: string): Promise<void> {
    return withTask(this.database, token, async (tx, row) => {
      if (row?.duty === 'undo') return;
      const { task_id: id } = mine(row, 'run');
      await tx.run("UPDATE import_tasks SET duty = 'undo', reason = ? WHERE task_id = ?", [reason, id]);
    });
  }

  undone(id: string, token: string): Promise<void> {
    return withTask(this.database, token, async (tx, row) => {
      if (!row) return this.#repeated(tx, id, 'failure');
      const task = mine(row, 'undo');
      const reason = task.reason ?? 'The import was given up.';
      const image = await findImage(tx, task.image_id);
      if (image) await this.#undo(tx, image, task, reason);
      await this.#end(tx, task, { status: 'failure', message: reason });
    });
  }

  async #undo(tx: Statements, image: Image, task: ImportRow, reason: string): Promise<void> {
    const targets = task.targets.map((target): TargetState =>
      target.located ? target : { ...target, state: 'failed' },
    );
    const properties = unlocked(withProgress(image.properties, targets, task.work));
    const queued = image.status === 'importing' ? ({ status: 'queued', size: null, virtualSize: null } as const) : {};
    await this.#save(tx, image, { ...image, ...queued, properties }, task.context);
    await this.outbox.add(tx, task.context, uploadFailedEvent(image.id, reason));
  }

  /** One store that was waiting is done, for better or worse. */
  #settle(
    token: string,
    store: string,
    work: (
      tx: Statements,
      image: Image,
      row: ImportRow,
      target: TargetState,
    ) => Promise<{ targets: readonly TargetState[]; before: Image }>,
  ): Promise<void> {
    return withTask(this.database, token, async (tx, found) => {
      const row = mine(found, 'run');
      const image = await findImage(tx, row.image_id);
      const target = row.targets.find((each) => each.store === store);
      if (!image || !target) throw leaseLost();
      if (target.state !== 'waiting') return;
      const { targets, before } = await work(tx, image, row, target);
      await saveTargets(tx, row.task_id, targets);
      const properties = withProgress(before.properties, targets, row.work);
      await this.#save(tx, before, { ...before, properties }, row.context);
    });
  }

  /** Lets the image refer to data, and makes it active by the first. */
  async #locate(tx: Statements, image: Image, found: readonly ImportedData[], row: ImportRow): Promise<Image> {
    const [first] = found;
    if (!first) return image;
    const time = tx.dialect.time(new Date(this.clock()));
    const locations = found.map(({ location }) => location);
    await insertLocations(tx, image.id, locations, time);
    const activated = image.status === 'importing';
    const after = activated ? { ...image, ...facts(image, first), status: 'active' as const } : image;
    const saved = await saveMarked(tx, image, after, new Date(this.clock()));
    // Glance: data that lies somewhere already is not uploaded.
    const events = row.work.method === 'add-location' ? [] : found.map(() => uploadEvent(saved));
    await this.outbox.add(tx, row.context, ...events, ...(activated ? [imageEvent('image.activate', saved)] : []));
    return saved;
  }

  async #save(tx: Statements, before: Image, after: Image, context: string | null): Promise<void> {
    const saved = await saveMarked(tx, before, after, new Date(this.clock()));
    await this.outbox.add(tx, context, imageEvent('image.update', saved));
  }

  async #end(tx: Statements, row: ImportRow, end: { status: TaskStatus; message: string }): Promise<void> {
    const now = this.clock();
    const { task_id: id, image_id } = row;
    const result: JsonObject | undefined = end.status === 'success' ? { image_id } : undefined;
    await changeTask(
      tx,
      id,
      { ...end, ...(result && { result }), expiresAt: new Date(now + this.keep) },
      new Date(now),
    );
    await tx.run('DELETE FROM import_tasks WHERE task_id = ?', [id]);
    if (row.work.staged !== null) {
      await tx.run('UPDATE staged_data SET abandoned = 1 WHERE name = ?', [row.work.staged]);
    }
    await this.outbox.add(tx, row.context, taskEvent(`task.${end.status}`, await findTask(tx, id)));
  }

  async #repeated(tx: Statements, id: string, status: TaskStatus): Promise<void> {
    if ((await findTask(tx, id)).status !== status) throw leaseLost();
  }
}

function facts(image: Image, data: ImportedData): Partial<Image> {
  const { size, virtualSize, checksum, osHashAlgo, osHashValue } = data;
  const { diskFormat = image.diskFormat, containerFormat = image.containerFormat } = data;
  const properties = { ...image.properties, ...data.properties };
  return { size, virtualSize, checksum, osHashAlgo, osHashValue, diskFormat, containerFormat, properties };
}
