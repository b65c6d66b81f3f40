import { closed } from './rados-error.js';

/**
 * A native object. It is freed once, when nothing uses it any more, and cannot be used after that: to do either would
 * end the process. So one whose use never ends is never freed.
 */
export class Handle {
  readonly #pointer: bigint;
  readonly #free: (pointer: bigint) => Promise<void>;
  readonly #parent: Handle | undefined;
  readonly #children = new Set<Handle>();
  #uses = 0;
  #unused: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** Closed before `parent` is. */
  constructor(pointer: bigint, free: (pointer: bigint) => Promise<void>, parent?: Handle) {
    this.#pointer = pointer;
    this.#free = free;
    this.#parent = parent;
    if (parent) parent.#children.add(this);
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** For calls that return at once. EBADF when it is closed. */
  pointer(what: string): bigint {
    if (this.#closing) throw closed(what);
    return this.#pointer;
  }

  /** Keeps it while `work` is under way. EBADF when it is closed. */
  async use<T>(what: string, work: (pointer: bigint) => Promise<T>): Promise<T> {
    const pointer = this.pointer(what);
    this.#uses++;
    try {
      return await work(pointer);
    } finally {
      if (--this.#uses === 0) this.#unused?.();
    }
  }

  /** Frees it after its children, and after the last use has ended. Repeatable. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    // Uses may still add children; when the uses have ended, all children are there.
    await Promise.all([...this.#children].map((child) => child.close()));
    if (this.#uses > 0) await new Promise<void>((resolve) => (this.#unused = resolve));
    await Promise.all([...this.#children].map((child) => child.close()));
    await this.#free(this.#pointer);
    if (this.#parent) this.#parent.#children.delete(this);
  }
}
