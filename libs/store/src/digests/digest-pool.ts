import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '@glance/domain';
import type { Computation, DigestReply, DigestRequest } from './digest-worker.js';

/** A digest that a thread computes. Steps happen in the order of the calls. */
export interface RemoteDigest {
  /** Settles once the thread has read the first `length` bytes of `memory`, which must not change before. */
  update(memory: SharedArrayBuffer, length: number): Promise<void>;
  /** Hex of everything so far, or what a signature is worth; the digest is over. */
  end(): Promise<string>;
  /** Gives up a digest that has not ended. */
  drop(): void;
}

type Waiting = PromiseWithResolvers<DigestReply>;

class DigestThread {
  digests = 0;
  alive = true;
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];

  constructor(worker: Worker, onDeath: (thread: DigestThread) => void) {
    this.#worker = worker;
    worker.unref();
    worker.on('message', (reply: DigestReply) => this.#answered(reply));
    const died = (cause: unknown): void => {
      this.alive = false;
      onDeath(this);
      for (const { reject } of this.#waiting.splice(0)) reject(death(cause));
    };
    worker.on('error', died);
    worker.on('exit', (code) => died(new Error(`exit code ${code}`)));
  }

  ask(request: DigestRequest): Promise<DigestReply> {
    if (!this.alive) return Promise.reject(death());
    const waiting: Waiting = Promise.withResolvers();
    // A thread holds the process only while somebody waits for it.
    if (this.#waiting.push(waiting) === 1) this.#worker.ref();
    this.#worker.postMessage(request);
    return waiting.promise;
  }

  #answered(reply: DigestReply): void {
    const waiting = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if (reply.error === undefined) waiting?.resolve(reply);
    else waiting?.reject(new ServiceError('Internal', 'A digest could not be computed.', {}, { cause: reply.error }));
  }
}

function death(cause?: unknown): ServiceError {
  return new ServiceError('Internal', 'A thread that computes digests died.', {}, { cause });
}

function startWorker(): Worker {
  // Node strips the types of the source by itself: this is the same file whether or not the package was built.
  const file = `./digest-worker${extname(import.meta.url)}`;
  return new Worker(new URL(file, import.meta.url), { name: 'digests', execArgv: [] });
}

/** Threads that compute digests for everybody in the process; started when first needed, at most one per core. */
export class DigestPool {
  readonly #size: number;
  readonly #start: () => Worker;
  #threads: DigestThread[] = [];
  #lastDigest = 0;

  constructor(size = Math.max(2, availableParallelism()), start = startWorker) {
    this.#size = size;
    this.#start = start;
  }

  /** One digest for each of `computations`, on as many threads as there are. */
  begin(computations: readonly Computation[]): RemoteDigest[] {
    const taken = new Set<DigestThread>();
    return computations.map((what) => {
      const thread = this.#leastBusy(taken);
      taken.add(thread);
      return this.#digest(thread, what);
    });
  }

  #leastBusy(taken: ReadonlySet<DigestThread>): DigestThread {
    const untaken = this.#threads.filter((thread) => !taken.has(thread));
    const idle = untaken.find((thread) => thread.digests === 0);
    if (idle) return idle;
    if (this.#threads.length < this.#size) return this.#add();
    const candidates = untaken.length > 0 ? untaken : this.#threads;
    return candidates.reduce((least, thread) => (thread.digests < least.digests ? thread : least));
  }

  #add(): DigestThread {
    const thread = new DigestThread(this.#start(), (dead) => {
      this.#threads = this.#threads.filter((other) => other !== dead);
    });
    this.#threads.push(thread);
    return thread;
  }

  #digest(thread: DigestThread, what: Computation): RemoteDigest {
    const digest = ++this.#lastDigest;
    thread.digests++;
    let open = true;
    const close = (): void => {
      if (open) thread.digests--;
      open = false;
    };
    return {
      update: async (memory, length) => {
        await thread.ask({ digest, what, step: 'update', memory, length });
      },
      end: async () => {
        try {
          return (await thread.ask({ digest, what, step: 'end' })).value!;
        } finally {
          close();
        }
      },
      drop: () => {
        if (!open) return;
        close();
        // Nobody waits for this: a thread that died has forgotten the digest as well.
        thread.ask({ digest, what, step: 'drop' }).catch(() => undefined);
      },
    };
  }
}

/** The pool of this process. */
export const digestPool = new DigestPool();
