import { Cluster, type ClusterOptions, isRadosError, type Pool } from '@glance/node-rados';
import { ServiceError } from '@glance/domain';
import { Uploads } from '../../uploads.js';

/** Milliseconds in which a connection that has just failed is not tried again. */
const pause = 1000;

const refusals: Readonly<Record<string, string>> = {
  ENOENT: 'The file that rbd_store_ceph_conf names, or the keyring of rbd_store_user, is missing.',
  EINVAL: 'The file that rbd_store_ceph_conf names cannot be understood, or the keyring of rbd_store_user.',
  EACCES: 'Ceph does not accept the key of rbd_store_user.',
  EPERM: 'Ceph gives rbd_store_user no rights: it needs mon "profile rbd" and osd "profile rbd pool=<pool>".',
};

/** The connection that all stores with the same cluster and user share. Made when it is used, and anew when it is lost. */
export class Connection {
  static readonly #shared = new Map<string, Connection>();
  /** By pool and image. */
  readonly uploads = new Uploads();
  readonly #key: string;
  readonly #options: ClusterOptions;
  #users = 0;
  #cluster: Promise<Cluster> | undefined;
  #pools = new Map<string, Promise<Pool>>();
  #failure: { readonly error: ServiceError; readonly until: number } | undefined;

  private constructor(key: string, options: ClusterOptions) {
    this.#key = key;
    this.#options = options;
  }

  /** To be given back with `release`. Connects to nothing yet. */
  static share(options: ClusterOptions): Connection {
    const key = JSON.stringify(options);
    const connection = Connection.#shared.get(key) ?? new Connection(key, options);
    Connection.#shared.set(key, connection);
    connection.#users++;
    return connection;
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    Connection.#shared.delete(this.#key);
    await this.#drop();
  }

  cluster(): Promise<Cluster> {
    if (this.#failure && performance.now() < this.#failure.until) return Promise.reject(this.#failure.error);
    this.#cluster ??= Cluster.connect(this.#options).catch((cause: unknown) => {
      const error = refusal(cause);
      this.#cluster = undefined;
      this.#failure = { error, until: performance.now() + pause };
      throw error;
    });
    return this.#cluster;
  }

  /** Does something with a pool; `missing` makes the error if there is none of that name. */
  async withPool<T>(
    name: string,
    missing: (cause: unknown) => ServiceError,
    work: (pool: Pool, cluster: Cluster) => Promise<T>,
  ): Promise<T> {
    const cluster = await this.cluster();
    const pool = await this.#pool(cluster, name).catch((error: unknown) => {
      throw isRadosError(error, 'ENOENT') ? missing(error) : error;
    });
    try {
      return await work(pool, cluster);
    } catch (error) {
      // The cluster has shut this client out, for good.
      if (isRadosError(error, 'ESHUTDOWN')) void this.#drop();
      throw error;
    }
  }

  #pool(cluster: Cluster, name: string): Promise<Pool> {
    const known = this.#pools.get(name);
    if (known) return known;
    const opening = cluster.pool(name);
    this.#pools.set(name, opening);
    opening.catch(() => this.#pools.delete(name));
    return opening;
  }

  async #drop(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = undefined;
    this.#pools = new Map();
    await (await cluster?.catch(() => undefined))?.close().catch(() => undefined);
  }
}

function refusal(cause: unknown): ServiceError {
  // The libraries are missing, and the message says what to install.
  if (!isRadosError(cause)) return new ServiceError('StoreUnavailable', (cause as Error).message, {}, { cause });
  const message = refusals[cause.code];
  if (message) return new ServiceError('StorageDenied', message, {}, { cause });
  return new ServiceError('StoreUnavailable', `The Ceph cluster does not answer (${cause.code}).`, {}, { cause });
}
