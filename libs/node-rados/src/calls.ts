import { setTimeout as delay } from 'node:timers/promises';
import type { Handle } from './handle.js';
import { type Argument, call, callInThread, type FunctionName } from './library.js';
import { checked, isRadosError, timedOut } from './rados-error.js';
import { allThreads, threadsOfOneCluster } from './thread-limit.js';

/** How the functions of one cluster are called: off the event loop, a few at a time, and for so long only. */
export class Calls {
  /** Milliseconds after which a caller is told ETIMEDOUT. Later than librados itself gives up, if it does. */
  readonly patience: number;
  readonly #threads = threadsOfOneCluster();

  constructor(patience: number) {
    this.patience = patience;
  }

  /** Calls a function that blocks; its result, or a RadosError if that is negative. `handle` is its first argument. */
  blocking(handle: Handle, name: FunctionName, ...args: Argument[]): Promise<number> {
    return this.bounded(name, this.long(handle, name, ...args));
  }

  /** The same for what may take as long as it needs once it has begun, however large an image is. */
  async long(handle: Handle, name: FunctionName, ...args: Argument[]): Promise<number> {
    const result = await handle.use(name, (pointer) =>
      this.#threads.run(name, this.patience, () =>
        allThreads.run(name, this.patience, () => callInThread(name, pointer, ...args)),
      ),
    );
    return checked(name, result);
  }

  /** What comes of `work`, or ETIMEDOUT when that takes too long. Work itself goes on: it must keep what it uses. */
  async bounded<T>(name: FunctionName, work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(timedOut(name)), this.patience);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for a completion that no image tells about, because it is not open yet or not any more. Releases it. */
  async completed(name: FunctionName, completion: bigint): Promise<number> {
    for (let pause = 1; call('rbd_aio_is_complete', completion) === 0; pause = Math.min(2 * pause, 16)) {
      await delay(pause);
    }
    return takeResult(name, completion);
  }

  /**
   * Asks for a list: `decode` gets memory with entries of `entrySize` bytes, and `cleanup` frees what they point to.
   * How many there are is what the function returns if `counted` says so; else it writes that down.
   */
  async list<T>(
    handle: Handle,
    name: FunctionName,
    { entrySize, counted, cleanup }: { entrySize: number; counted?: true; cleanup: FunctionName },
    decode: (memory: Buffer, at: number) => T,
  ): Promise<T[]> {
    const count = Buffer.alloc(8);
    for (let room = 16; ; room = Math.max(2 * room, count.readUInt32LE())) {
      const memory = Buffer.alloc(room * entrySize);
      count.writeUInt32LE(room);
      try {
        const result = await this.blocking(handle, name, memory, count);
        const length = counted ? result : count.readUInt32LE();
        const entries = Array.from({ length }, (_, index) => decode(memory, index * entrySize));
        if (length > 0) call(cleanup, memory, ...(counted ? [] : [length]));
        return entries;
      } catch (error) {
        if (!isRadosError(error, 'ERANGE')) throw error;
      }
    }
  }
}

/** A new completion. Nobody is called back: who waits looks. */
export function newCompletion(): bigint {
  const pointer = Buffer.alloc(8);
  checked('rbd_aio_create_completion', call('rbd_aio_create_completion', null, null, pointer));
  return pointer.readBigUInt64LE();
}

/** The result of a completion that has completed; releases it. */
export function takeResult(name: FunctionName, completion: bigint): number {
  const result = call('rbd_aio_get_return_value', completion);
  call('rbd_aio_release', completion);
  return checked(name, result);
}
