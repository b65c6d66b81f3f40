import { setTimeout as delay } from 'node:timers/promises';
import {
  type ClaimedDigests,
  type ClaimedTask,
  type Image,
  type ImageLocation,
  isServiceError,
  ServiceError,
  type Tasks,
} from '@glance/domain';
import { digests, type Stores } from '@glance/store';
import type { Meter } from './meter.js';

export interface LocationParts {
  readonly tasks: Tasks;
  readonly stores: Stores;
  /** Computes `os_hash_value`, unless a request says which digest it expects. */
  readonly hashAlgorithm: string;
  /** How often data that cannot be read is tried again. */
  readonly httpRetries: number;
}

export interface LocationWork {
  readonly task: ClaimedTask;
  readonly image: Image;
  readonly meter: Meter;
  readonly signal: AbortSignal;
  /** Reserves room for so many bytes in the quota of the project. */
  readonly confirm: (size: number) => Promise<void>;
  /** Repeats a call of a registry that is away. */
  readonly insist: <T>(call: () => Promise<T>) => Promise<T>;
}

interface Registration {
  readonly location: ImageLocation;
  readonly digests?: ClaimedDigests;
  readonly hash: boolean;
}

/** Milliseconds between two tries to read. */
const pause = 1_000;

/**
 * Makes data that lies somewhere already that of the image. What it was said to be is checked first; if nothing was
 * said, the image is active at once and its digests follow.
 */
export async function registerLocation(parts: LocationParts, work: LocationWork): Promise<void> {
  const { tasks, stores } = parts;
  const { task, image, meter, signal, insist } = work;
  const { location, digests: claimed, hash } = task.source as unknown as Registration;
  const [target] = task.targets;
  const { token } = task.lease;
  if (target?.state === 'waiting') {
    meter.step = 'read';
    const size = await stores.size(location, signal);
    const known = claimed && hash ? await verified(parts, work, location, claimed) : claimed;
    const { checksum = null, osHashAlgo = null, osHashValue = null } = known ?? {};
    const data = { size, virtualSize: null, checksum, osHashAlgo, osHashValue, location };
    meter.step = 'finish';
    await work.confirm(size);
    await insist(() => tasks.written(token, target.store, data));
  }
  if (!hash || claimed || image.osHashValue !== null) return;
  const computed = await digestsOf(parts, work, location, parts.hashAlgorithm);
  await insist(() => tasks.hashed(token, computed));
}

async function verified(
  parts: LocationParts,
  work: LocationWork,
  location: ImageLocation,
  claimed: ClaimedDigests,
): Promise<ClaimedDigests> {
  const computed = await digestsOf(parts, work, location, claimed.osHashAlgo);
  if (computed.osHashValue === claimed.osHashValue) return computed;
  throw new ServiceError(
    'Invalid',
    `The ${claimed.osHashAlgo} of the data is ${computed.osHashValue}, not ${claimed.osHashValue} as was said.`,
  );
}

async function digestsOf(
  { stores, httpRetries }: LocationParts,
  { meter, signal }: LocationWork,
  location: ImageLocation,
  algorithm: string,
): Promise<Required<ClaimedDigests>> {
  meter.step = 'hash';
  for (let tries = 0; ; tries += 1) {
    try {
      const { size, data } = await stores.openRead([location], { signal });
      const tap = digests(['md5', algorithm]);
      const passing = tap.through(meter.through(data, size))[Symbol.asyncIterator]();
      while ((await passing.next()).done !== true);
      const hex: Readonly<Record<string, string>> = tap.result();
      return { checksum: hex['md5']!, osHashAlgo: algorithm, osHashValue: hex[algorithm]! };
    } catch (error) {
      if (tries >= httpRetries || signal.aborted || isServiceError(error, 'DataNotFound')) throw error;
      await delay(pause, undefined, { signal });
    }
  }
}
