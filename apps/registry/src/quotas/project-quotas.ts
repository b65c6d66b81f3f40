import { ServiceError, type Usage } from '@glance/domain';
import { Counter } from 'prom-client';
import type { Database } from '../database/database.js';
import type { Statements } from '../database/session.js';
import { type Amounts, usageOf } from './usage.js';

/** What a project may use: sizes in bytes; absent or negative is no limit. */
export type ProjectLimits = Partial<Amounts>;

/** Who knows the limits of projects. */
export interface LimitSource {
  of(project: string): Promise<ProjectLimits>;
  close(): void;
}

const MIB = 1024 ** 2;

/** Keystone's name of each limit, and what a message calls it. */
const names: Readonly<Record<keyof Amounts, { readonly limit: string; readonly says: string }>> = {
  storage: { limit: 'image_size_total', says: 'bytes of image data' },
  staging: { limit: 'image_stage_total', says: 'bytes of staged data' },
  images: { limit: 'image_count_total', says: 'images' },
  uploading: { limit: 'image_count_uploading', says: 'images that are being uploaded or imported' },
};

const refusals = new Counter({
  name: 'glance_quota_refusals_total',
  help: 'What was refused because a project has no room left, by the name of the limit in Keystone.',
  labelNames: ['limit'],
});

// Present before the first: what has no value yet cannot be seen to grow.
for (const { limit } of Object.values(names)) refusals.inc({ limit }, 0);

function refused(kind: keyof Amounts, message: (name: string, says: string) => string): ServiceError {
  const { says, limit } = names[kind];
  refusals.inc({ limit });
  return new ServiceError('LimitExceeded', message(limit, says));
}

/** What projects may use. Says nothing of projects without limits, and costs nothing where there are none. */
export class ProjectQuotas {
  readonly #userStorageQuota: number;
  readonly #source: LimitSource | undefined;

  /** `userStorageQuota` in bytes, 0 for no limit; not looked at where a source says what counts. */
  constructor(userStorageQuota: number, source?: LimitSource) {
    this.#userStorageQuota = userStorageQuota;
    this.#source = source;
  }

  /** Whether any project may have limits. */
  get enforced(): boolean {
    return this.#source !== undefined || this.#userStorageQuota > 0;
  }

  /** The limits of a project, to be kept to in a transaction; undefined if it has none. */
  async ofProject(project: string | null): Promise<Allowance | undefined> {
    if (project === null) return undefined;
    if (this.#source) return new Allowance(project, await this.#source.of(project));
    return this.#userStorageQuota > 0 ? new Allowance(project, { storage: this.#userStorageQuota }) : undefined;
  }

  /** Those of the project that an image belongs to. */
  async ofImage(database: Database, id: string): Promise<Allowance | undefined> {
    if (!this.enforced) return undefined;
    const [row] = await database.rows<{ owner: string | null }>('SELECT owner FROM images WHERE id = ?', [id]);
    return this.ofProject(row?.owner ?? null);
  }

  /** Used and allowed, by Keystone's names; empty where its limits do not count. */
  async usage(database: Database, project: string | null): Promise<Usage> {
    if (!this.#source || project === null) return {};
    const limits = await this.#source.of(project);
    const used = await usageOf(database, project);
    const shown = (kind: keyof Amounts, amount: number): number =>
      (kind === 'storage' || kind === 'staging') && amount > 0 ? Math.floor(amount / MIB) : amount;
    return Object.fromEntries(
      (Object.keys(names) as (keyof Amounts)[]).map((kind) => [
        names[kind].limit,
        { usage: shown(kind, used[kind]), limit: shown(kind, limits[kind] ?? -1) },
      ]),
    );
  }

  close(): void {
    this.#source?.close();
  }
}

/** What one project may use. Its methods hold the project until the transaction ends: of many at once, each counts. */
export class Allowance {
  constructor(
    readonly project: string,
    readonly limits: ProjectLimits,
  ) {}

  /** `LimitExceeded` unless there is room for all of `wanted`; what the work of `token` has reserved before is part of it. */
  async admit(tx: Statements, wanted: Partial<Amounts>, token?: string): Promise<void> {
    const used = await this.#held(tx, token);
    for (const [kind, amount] of Object.entries(wanted) as [keyof Amounts, number][]) {
      const limit = this.limits[kind] ?? -1;
      if (limit < 0 || used[kind] + amount <= limit) continue;
      const wish = `it has ${used[kind]}, and ${amount} more are asked for.`;
      throw refused(kind, (name, says) => `The project may have ${limit} ${says} (${name}): ${wish}`);
    }
  }

  /** Bytes that are left; Infinity without a limit. `LimitExceeded` if none are. */
  async room(tx: Statements, kind: 'storage' | 'staging'): Promise<number> {
    const limit = this.limits[kind] ?? -1;
    if (limit < 0) return Infinity;
    const used = (await this.#held(tx))[kind];
    if (used < limit) return limit - used;
    throw refused(kind, (name, says) => `The project may have ${limit} ${says} (${name}), and has ${used} already.`);
  }

  async #held(tx: Statements, token?: string): Promise<Amounts> {
    // SQLite has one transaction that writes at a time. Elsewhere, to write the row of the project is to wait for others.
    if (tx.dialect.forUpdate) {
      await tx.run('INSERT INTO quota_projects (project) VALUES (?) ON DUPLICATE KEY UPDATE project = project', [
        this.project,
      ]);
    }
    return usageOf(tx, this.project, token);
  }
}

/** No project has limits. */
export const noQuotas = new ProjectQuotas(0);
