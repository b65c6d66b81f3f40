import { hostname, networkInterfaces } from 'node:os';
import { isServiceError, ServiceError } from '@glance/domain';
import { cancellation, pausing } from '../../cancellation.js';
import { ignoringMissing } from '../../store-error.js';
import type { CinderClient } from './cinder-client.js';
import { type ConnectionInfo, type Device, textIn } from './device.js';
import { nfsDevice } from './nfs-device.js';
import { rbdDevice } from './rbd-device.js';

/** What Cinder calls the kinds of volumes that a process without devices can reach. */
export const reachable: readonly string[] = ['nfs', 'rbd'];

/** Milliseconds that may go into an attachment or a detachment. */
const patience = 120_000;

export interface AttachmentSettings {
  readonly mountPointBase: string;
  /** How often a volume that others have is tried. */
  readonly attempts: number;
}

export interface Attached {
  /** The data of the volume; anew after it was extended. */
  open(): Promise<Device>;
  detach(): Promise<void>;
}

interface Reading {
  readonly device: Promise<Device>;
  readonly attached: Promise<Attached>;
  readers: number;
}

/**
 * Attachments of volumes to this host, by the attachments API: one is made, Cinder is told who attaches, it says how the
 * volume is reached, and is told once it was. Readers of this process share one, for not every volume may have several.
 */
export class Attachments {
  readonly #client: CinderClient;
  readonly #settings: AttachmentSettings;
  readonly #readings = new Map<string, Reading>();
  readonly #ending = new Map<string, Promise<void>>();

  constructor(client: CinderClient, settings: AttachmentSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  /** For writing. */
  async attach(volume: string, signal: AbortSignal): Promise<Attached> {
    return this.#attach(volume, 'rw', signal);
  }

  /** For reading; each is to be given back with `giveBack`. */
  async borrow(volume: string, signal: AbortSignal): Promise<Device> {
    await this.#ending.get(volume);
    const reading = this.#readings.get(volume) ?? this.#startReading(volume);
    reading.readers++;
    try {
      const device = await reading.device;
      if (signal.aborted) throw cancellation(signal);
      return device;
    } catch (error) {
      await this.giveBack(volume);
      throw error;
    }
  }

  async giveBack(volume: string): Promise<void> {
    const reading = this.#readings.get(volume);
    if (!reading || --reading.readers > 0) return;
    this.#readings.delete(volume);
    const ending = this.#endReading(reading).finally(() => this.#ending.delete(volume));
    this.#ending.set(volume, ending);
    await ending;
  }

  /** Detaches a volume from everybody. */
  async detachAll(volume: string, signal: AbortSignal): Promise<void> {
    const path = `/attachments?${new URLSearchParams({ volume_id: volume }).toString()}`;
    const { attachments } = await this.#client.ask<{ attachments: readonly { id: string }[] }>({
      method: 'GET',
      path,
      signal,
    });
    for (const { id } of attachments) await this.#delete(id, signal);
  }

  #startReading(volume: string): Reading {
    // Not for one reader to stop.
    const attached = this.#attach(volume, 'ro', AbortSignal.timeout(patience));
    const reading = { attached, device: attached.then((each) => each.open()), readers: 0 };
    reading.device.catch(() => undefined);
    this.#readings.set(volume, reading);
    return reading;
  }

  async #endReading({ attached, device }: Reading): Promise<void> {
    await (await device.catch(() => undefined))?.close();
    await (await attached.catch(() => undefined))?.detach();
  }

  async #attach(volume: string, mode: 'rw' | 'ro', signal: AbortSignal): Promise<Attached> {
    const id = await this.#reserve(volume, mode, signal);
    const detach = (): Promise<void> => this.#delete(id, AbortSignal.timeout(patience));
    try {
      const path = `/attachments/${id}`;
      await this.#client.ask({ method: 'PUT', path, body: { attachment: { connector: connector() } }, signal });
      // Only this says all, such as the format of a file.
      const { attachment } = await this.#client.ask<{ attachment: { connection_info: ConnectionInfo } }>({
        method: 'GET',
        path,
        signal,
      });
      const open = this.#opener(attachment.connection_info);
      const body = { 'os-complete': {} };
      await this.#client.ask({ method: 'POST', path: `${path}/action`, body, signal });
      return { open, detach };
    } catch (error) {
      await detach().catch(() => undefined);
      throw error;
    }
  }

  /** Makes an attachment, once the volume is free for it. */
  async #reserve(volume: string, mode: 'rw' | 'ro', signal: AbortSignal): Promise<string> {
    for (let tries = 1; ; tries++) {
      try {
        const body = { attachment: { volume_uuid: volume, mode } };
        const request = { method: 'POST', path: '/attachments', body, signal } as const;
        return (await this.#client.ask<{ attachment: { id: string } }>(request)).attachment.id;
      } catch (error) {
        if (!isServiceError(error, 'DataInUse') || tries >= this.#settings.attempts) throw error;
        await pausing(1000 * 2 ** (tries - 1), signal);
      }
    }
  }

  #opener(info: ConnectionInfo): () => Promise<Device> {
    const kind = textIn(info, 'driver_volume_type') ?? 'unknown';
    if (info['encrypted'] === true) {
      throw new ServiceError('StorageDenied', 'Volumes of images must not be encrypted: see cinder_volume_type.');
    }
    if (kind === 'nfs') return () => nfsDevice(info, this.#settings.mountPointBase);
    if (kind === 'rbd') return () => rbdDevice(info);
    throw unreachableKind(kind);
  }

  async #delete(id: string, signal: AbortSignal): Promise<void> {
    await ignoringMissing(this.#client.ask({ method: 'DELETE', path: `/attachments/${id}`, signal }));
  }
}

/** For volumes that become devices of the machine: that takes rights that the service does not have. */
export function unreachableKind(kind: string): ServiceError {
  const message =
    `Cinder offers volumes by ${kind}, which cannot be attached without devices of the machine; set cinder_volume_type ` +
    'to a type of a back end in NFS or in Ceph (RBD).';
  return new ServiceError('StorageDenied', message);
}

/** What os-brick says of a host that attaches NFS and RBD. */
function connector(): object {
  const address = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ internal }) => !internal)?.address;
  return {
    host: hostname(),
    ip: address ?? '127.0.0.1',
    platform: { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch,
    os_type: process.platform,
    multipath: false,
    do_local_attach: false,
    mountpoint: 'glance_store',
  };
}
