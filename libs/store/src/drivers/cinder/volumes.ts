import { isServiceError, ServiceError } from '@glance/domain';
import { pausing } from '../../cancellation.js';
import { discarded, ignoringMissing } from '../../store-error.js';
import type { CinderClient } from './cinder-client.js';

/** What the Block Storage API says of a volume. */
export interface Volume {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  /** GiB. */
  readonly size: number;
  readonly volume_type: string | null;
  readonly encrypted?: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  /** UTC, without saying so. */
  readonly created_at: string;
  readonly updated_at: string | null;
}

/** Volumes of a page of a list. */
const pageSize = 500;
/** Milliseconds between two looks at a volume, at first and at most. */
const [firstPause, longestPause] = [50, 2000];

/** The volumes of the project of the store, of its type. */
export class Volumes {
  readonly #client: CinderClient;
  readonly #transitionTime: number;
  readonly #typeName: () => Promise<string | undefined>;

  /** `typeName`: that of the volumes of this store; undefined if there is only one kind of volumes. */
  constructor(client: CinderClient, transitionTime: number, typeName: () => Promise<string | undefined>) {
    this.#client = client;
    this.#transitionTime = transitionTime;
    this.#typeName = typeName;
  }

  /** `DataNotFound` if it is missing, or as good as that. */
  async get(id: string, signal: AbortSignal): Promise<Volume> {
    const volume = await this.#look(id, signal);
    if (volume.status !== 'deleting') return volume;
    throw new ServiceError('DataNotFound', 'The store has no such data.');
  }

  /** All of a name, or all; without those that are going away. */
  async *list(signal: AbortSignal, name?: string): AsyncIterable<Volume> {
    const type = await this.#typeName();
    for (let marker: string | undefined; ;) {
      const query = new URLSearchParams({
        limit: String(pageSize),
        sort: 'created_at:asc',
        ...(name !== undefined && { name }),
        ...(marker !== undefined && { marker }),
      });
      const path = `/volumes/detail?${query.toString()}`;
      const { volumes } = await this.#client.ask<{ volumes: readonly Volume[] }>({ method: 'GET', path, signal });
      yield* volumes.filter(
        (each) =>
          each.status !== 'deleting' &&
          (name === undefined || each.name === name) &&
          (type === undefined || each.volume_type === type),
      );
      if (volumes.length === 0) return;
      marker = volumes.at(-1)!.id;
    }
  }

  async create(
    facts: { readonly name: string; readonly size: number; readonly metadata: Readonly<Record<string, string>> },
    volumeType: string | undefined,
    signal: AbortSignal,
  ): Promise<Volume> {
    const volume = { ...facts, ...(volumeType !== undefined && { volume_type: volumeType }) };
    const request = { method: 'POST', path: '/volumes', body: { volume }, signal } as const;
    return (await this.#client.ask<{ volume: Volume }>(request)).volume;
  }

  /** Once it has left the states in between; fails where it is not `available` then. */
  async available(id: string, signal: AbortSignal, during: readonly string[] = ['creating']): Promise<Volume> {
    const volume = await this.#settled(id, during, signal);
    if (volume?.status === 'available' || volume?.status === 'in-use') return volume;
    if (!volume) throw discarded();
    const message = `The volume of the image is in the state ${volume.status}; the log of Cinder says why.`;
    throw new ServiceError('StoreUnavailable', message);
  }

  async extend(id: string, size: number, signal: AbortSignal): Promise<void> {
    await this.#act(id, { 'os-extend': { new_size: size } }, signal);
    const volume = await this.available(id, signal, ['extending', 'reserved']);
    if (volume.size < size) throw new ServiceError('StorageFull', 'Cinder cannot extend the volume of the image.');
  }

  async addMetadata(id: string, metadata: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    await this.#client.ask({ method: 'POST', path: `/volumes/${id}/metadata`, body: { metadata }, signal });
  }

  async makeReadOnly(id: string, signal: AbortSignal): Promise<void> {
    await this.#act(id, { 'os-update_readonly_flag': { readonly: true } }, signal);
  }

  /** Deletes it, and waits until it is gone; `DataInUse` if somebody has it attached or needs it. */
  async delete(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.ask({ method: 'DELETE', path: `/volumes/${id}`, signal });
    const left = await this.#settled(id, ['deleting'], signal);
    if (!left) return;
    if (left.status === 'error_deleting') {
      throw new ServiceError('StoreUnavailable', 'Cinder could not delete the volume of the image.');
    }
    // Ceph's driver puts it back when its data is in use.
    throw new ServiceError('DataInUse', 'Somebody needs the volume of the image.');
  }

  async #look(id: string, signal: AbortSignal): Promise<Volume> {
    const request = { method: 'GET', path: `/volumes/${id}`, signal } as const;
    return (await this.#client.ask<{ volume: Volume }>(request)).volume;
  }

  async #act(id: string, action: object, signal: AbortSignal): Promise<void> {
    await this.#client.ask({ method: 'POST', path: `/volumes/${id}/action`, body: action, signal });
  }

  /** What it is after the states in between; nothing if it is gone. */
  async #settled(id: string, during: readonly string[], signal: AbortSignal): Promise<Volume | undefined> {
    const deadline = performance.now() + this.#transitionTime;
    for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
      const volume = await ignoringMissing(this.#look(id, signal));
      if (!volume || !during.includes(volume.status)) return volume;
      if (performance.now() > deadline) {
        const message = `A volume has been ${volume.status} for longer than cinder_state_transition_timeout.`;
        throw new ServiceError('StoreUnavailable', message);
      }
      await pausing(pause, signal);
    }
  }
}

/** For `catch`: a volume that is gone has been discarded by somebody. */
export function orDiscarded(error: unknown): never {
  if (!isServiceError(error, 'DataNotFound')) throw error;
  throw discarded(error);
}
