import { newCompletion, takeResult } from './calls.js';
import { type Argument, call, type FunctionName, poll } from './library.js';
import { checked } from './rados-error.js';

// <sys/eventfd.h>, and EVENT_TYPE_EVENTFD of librbd.h.
const nonblockingCloseOnExec = 0o2004000;
const eventTypeEventfd = 2;
const batch = 32;

interface InFlight {
  readonly name: FunctionName;
  /** Keeps the memory that librbd reads from or writes to. */
  readonly args: readonly Argument[];
  readonly outcome: PromiseWithResolvers<number>;
}

/** The asynchronous operations of one open image. librbd tells by an eventfd that some have completed. */
export class ImageEvents {
  readonly #image: bigint;
  readonly #descriptor: number;
  readonly #poll: ReturnType<typeof poll>;
  readonly #inFlight = new Map<bigint, InFlight>();
  readonly #completed = Buffer.alloc(8 * batch);
  readonly #counter = Buffer.alloc(8);

  constructor(image: bigint) {
    this.#image = image;
    this.#descriptor = checked('eventfd', call('eventfd', 0, nonblockingCloseOnExec));
    try {
      const set = call('rbd_set_image_notification', image, this.#descriptor, eventTypeEventfd);
      checked('rbd_set_image_notification', set);
    } catch (error) {
      call('close', this.#descriptor);
      throw error;
    }
    this.#poll = poll(this.#descriptor, () => this.#onCompleted());
  }

  /** Starts an operation. Memory among `args` must not be touched before its promise settles. */
  start(name: FunctionName, args: (completion: bigint) => readonly Argument[]): Promise<number> {
    const completion = newCompletion();
    const operation: InFlight = { name, args: args(completion), outcome: Promise.withResolvers() };
    const started = call(name, this.#image, ...operation.args);
    if (started < 0) {
      call('rbd_aio_release', completion);
      checked(name, started);
    }
    if (this.#inFlight.size === 0) this.#poll.ref();
    this.#inFlight.set(completion, operation);
    return operation.outcome.promise;
  }

  /** Once nothing is in flight, and librbd has closed the image: it uses the descriptor until then. */
  close(): void {
    this.#poll.close();
    call('close', this.#descriptor);
  }

  #onCompleted(): void {
    call('read', this.#descriptor, this.#counter, this.#counter.length);
    for (let count = batch; count === batch;) {
      count = call('rbd_poll_io_events', this.#image, this.#completed, batch);
      for (let index = 0; index < count; index++) this.#settle(this.#completed.readBigUInt64LE(8 * index));
    }
    if (this.#inFlight.size === 0) this.#poll.unref();
  }

  #settle(completion: bigint): void {
    const operation = this.#inFlight.get(completion);
    if (!operation) return;
    this.#inFlight.delete(completion);
    try {
      operation.outcome.resolve(takeResult(operation.name, completion));
    } catch (error) {
      operation.outcome.reject(error);
    }
  }
}
