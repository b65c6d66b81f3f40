import { isServiceError, ServiceError } from '@glance/domain';
import { ignoringMissing } from '../../store-error.js';
import { reachable, unreachableKind } from './attachments.js';
import type { CinderClient } from './cinder-client.js';

interface TypeFacts {
  readonly id: string;
  readonly name: string;
  /** Only administrators are told. */
  readonly extra_specs?: Readonly<Record<string, string>>;
}

interface Pool {
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

/** What drivers of Cinder call the protocols of volumes that can be reached; `ceph` is RBD. */
const protocols: readonly string[] = [...reachable, 'ceph'];

/** The type of the volumes of a store: the one that is configured, or that which Cinder takes by itself. */
export class VolumeType {
  readonly #client: CinderClient;
  readonly #configured: string | undefined;
  #facts: Promise<TypeFacts | undefined> | undefined;

  constructor(client: CinderClient, configured: string | undefined) {
    this.#client = client;
    this.#configured = configured;
  }

  /** Undefined if Cinder has no types. */
  async name(): Promise<string | undefined> {
    return (await this.#find())?.name;
  }

  /** Fails if there is no such type, or if its volumes are of a kind that this service cannot attach, as far as it is told. */
  async check(): Promise<void> {
    const signal = AbortSignal.timeout(this.#client.patience);
    const backend = (await this.#find())?.extra_specs?.['volume_backend_name'];
    if (backend === undefined) return;
    const request = { method: 'GET', path: '/scheduler-stats/get_pools?detail=true', signal } as const;
    const { pools } = await this.#client.ask<{ pools: readonly Pool[] }>(request).catch((error: unknown) => {
      // Only administrators may know.
      if (isServiceError(error, 'StorageDenied')) return { pools: [] };
      throw error;
    });
    const kinds = pools
      .filter(({ capabilities }) => capabilities?.['volume_backend_name'] === backend)
      .flatMap(({ capabilities }) => capabilities?.['storage_protocol'] ?? [])
      .filter((kind) => typeof kind === 'string');
    const [first] = kinds;
    if (first !== undefined && !kinds.some((kind) => protocols.includes(kind.toLowerCase()))) {
      throw unreachableKind(first);
    }
  }

  #find(): Promise<TypeFacts | undefined> {
    const facts = (this.#facts ??= this.#ask(AbortSignal.timeout(this.#client.patience)));
    facts.catch(() => {
      if (this.#facts === facts) this.#facts = undefined;
    });
    return facts;
  }

  async #ask(signal: AbortSignal): Promise<TypeFacts | undefined> {
    if (this.#configured === undefined) {
      const asking = this.#client.ask<{ volume_type: TypeFacts }>({ method: 'GET', path: '/types/default', signal });
      return (await ignoringMissing(asking))?.volume_type;
    }
    const request = { method: 'GET', path: '/types', signal } as const;
    const { volume_types: types } = await this.#client.ask<{ volume_types: readonly TypeFacts[] }>(request);
    const found = types.find(({ id, name }) => id === this.#configured || name === this.#configured);
    if (found) return found;
    const names = types.map(({ name }) => name).join(', ');
    throw new ServiceError('StorageDenied', `cinder_volume_type must be a type of Cinder: ${names}.`);
  }
}
