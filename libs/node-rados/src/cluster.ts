import { Calls } from './calls.js';
import { Handle } from './handle.js';
import { call, callInThread, loadLibraries } from './library.js';
import { Pool } from './pool.js';
import { checked, isRadosError } from './rados-error.js';

export interface ClusterOptions {
  /** Path of the ceph.conf; where Ceph's own tools look if absent. */
  readonly conf?: string | undefined;
  /** As in `client.<user>`; admin if absent. */
  readonly user?: string | undefined;
  /** Path of the user's keyring, or the key itself; what the ceph.conf says if both are absent. */
  readonly keyring?: string | undefined;
  readonly key?: string | undefined;
  /** Milliseconds until a cluster that does not answer is ETIMEDOUT; 15,000 if absent. */
  readonly connectTimeout?: number | undefined;
  /** The same for an operation of a connected one, which survives the change of an OSD; 60,000 if absent. */
  readonly operationTimeout?: number | undefined;
  /** Further options of Ceph. */
  readonly options?: Readonly<Record<string, string>> | undefined;
}

export interface ClusterStats {
  /** Bytes. */
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

/** A connection to a Ceph cluster. librados mends it by itself when the cluster was away. */
export class Cluster implements AsyncDisposable {
  /** Of the cluster, not of this connection. */
  readonly fsid: string;
  readonly #calls: Calls;
  readonly #handle: Handle;

  private constructor(fsid: string, calls: Calls, handle: Handle) {
    this.fsid = fsid;
    this.#calls = calls;
    this.#handle = handle;
  }

  /**
   * Connects: ENOENT when the ceph.conf, the keyring or the user is missing, EINVAL for a ceph.conf that is none,
   * EACCES for a wrong key, EPERM for a user without rights, ETIMEDOUT when no monitor answers. Throws an Error that
   * names the packages to install where librados is missing.
   */
  static async connect(options: ClusterOptions = {}): Promise<Cluster> {
    loadLibraries();
    const { connectTimeout = 15_000, operationTimeout = 60_000 } = options;
    const pointer = Buffer.alloc(8);
    checked('rados_create', call('rados_create', pointer, options.user ?? null));
    const handle = new Handle(pointer.readBigUInt64LE(), async (cluster) => {
      await callInThread('rados_shutdown', cluster);
    });
    try {
      configure(handle.pointer('rados_conf_set'), options, connectTimeout, operationTimeout);
      await new Calls(connectTimeout * 1.25 + 2000).blocking(handle, 'rados_connect');
      const fsid = Buffer.alloc(64);
      const calls = new Calls(operationTimeout * 1.25 + 2000);
      const length = await calls.blocking(handle, 'rados_cluster_fsid', fsid, fsid.length);
      return new Cluster(fsid.toString('latin1', 0, length), calls, handle);
    } catch (error) {
      // Not waited for: it may take as long as a call that was given up.
      handle.close().catch(() => undefined);
      throw error;
    }
  }

  /** The number of this client in the cluster, by which `Image.watchers` calls it. */
  get instanceId(): number {
    return call('rados_get_instance_id', this.#handle.pointer('rados_get_instance_id'));
  }

  /** The value of an option of Ceph for this client; undefined if there is no such option. */
  option(name: string): string | undefined {
    const value = Buffer.alloc(4096);
    const pointer = this.#handle.pointer('rados_conf_get');
    try {
      checked('rados_conf_get', call('rados_conf_get', pointer, name, value, value.length));
    } catch (error) {
      if (isRadosError(error, 'ENOENT')) return undefined;
      throw error;
    }
    return value.toString('utf8', 0, value.indexOf(0));
  }

  async stats(): Promise<ClusterStats> {
    const stats = Buffer.alloc(32);
    await this.#calls.blocking(this.#handle, 'rados_cluster_stat', stats);
    const [total, used, available] = [0, 8, 16].map((at) => Number(stats.readBigUInt64LE(at)) * 1024);
    return { total: total!, used: used!, available: available! };
  }

  /** Names of all pools. */
  async pools(): Promise<string[]> {
    for (let room = 4096; ; room *= 4) {
      const memory = Buffer.alloc(room);
      const length = await this.#calls.blocking(this.#handle, 'rados_pool_list', memory, room);
      if (length <= room) return memory.toString('utf8', 0, length).split('\0').filter(Boolean);
    }
  }

  async createPool(name: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rados_pool_create', name);
  }

  /** With all that is in it. EPERM unless the monitors allow it (`mon_allow_pool_delete`). */
  async deletePool(name: string): Promise<void> {
    await this.#calls.blocking(this.#handle, 'rados_pool_delete', name);
  }

  /** ENOENT if there is no such pool. */
  pool(name: string): Promise<Pool> {
    return Pool.open(name, this.#calls, this.#handle);
  }

  /** Closes all its pools and images first. Repeatable. ETIMEDOUT as for an image. */
  close(): Promise<void> {
    return this.#calls.bounded('rados_shutdown', this.#handle.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function configure(
  cluster: bigint,
  { conf, keyring, key, options }: ClusterOptions,
  connectTimeout: number,
  operationTimeout: number,
): void {
  checked('rados_conf_read_file', call('rados_conf_read_file', cluster, conf ?? null));
  const seconds = (milliseconds: number): string => String(Math.max(1, Math.ceil(milliseconds / 1000)));
  const settings = {
    ...(keyring !== undefined && { keyring }),
    ...(key !== undefined && { key }),
    // Waits for ever unless told otherwise, or for five minutes.
    client_mount_timeout: seconds(connectTimeout),
    rados_mon_op_timeout: seconds(operationTimeout),
    rados_osd_op_timeout: seconds(operationTimeout),
    // With either of these librbd copies what is written, on the thread that submits it: that is ours.
    rbd_cache: 'false',
    rbd_disable_zero_copy_writes: 'false',
    ...options,
  };
  for (const [name, value] of Object.entries(settings)) {
    checked(`rados_conf_set ${name}`, call('rados_conf_set', cluster, name, value));
  }
}
