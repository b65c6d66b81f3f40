import { EventEmitter, once } from 'node:events';
import { defineContract, ServiceError } from '@glance/domain';

export interface Greeter {
  greet(name: string): Promise<string>;
  echo(value: unknown): Promise<unknown>;
  fail(how: 'known' | 'unknown'): Promise<never>;
  nothing(): Promise<void>;
  /** Not idempotent. */
  count(): Promise<number>;
  /** Idempotent, and not answered before the test says so. */
  repeatable(label: string): Promise<string>;
  /** Not idempotent, and not answered before the test says so. */
  single(label: string): Promise<string>;
  /** Not idempotent, not answered before the test says so, and soon nobody waits any more. */
  hasty(label: string): Promise<string>;
}

export const GREETER = defineContract<Greeter>('greeter', {
  greet: { timeout: 8_000, idempotent: true },
  echo: { timeout: 8_000, idempotent: true },
  fail: { timeout: 8_000, idempotent: true },
  nothing: { timeout: 8_000, idempotent: true },
  count: { timeout: 8_000, idempotent: false },
  repeatable: { timeout: 8_000, idempotent: true },
  single: { timeout: 8_000, idempotent: false },
  hasty: { timeout: 400, idempotent: false },
});

/** A greeter that holds some of its answers back until `release`, and remembers what it was asked. */
export class HeldGreeter implements Greeter {
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly begun: string[] = [];
  counted = 0;
  running = 0;
  mostRunning = 0;

  constructor(readonly name = 'greeter') {}

  /** Resolves once `count` held calls have begun, now or earlier. */
  async hasBegun(count = 1): Promise<void> {
    while (this.begun.length < count) await once(this.#events, 'begun');
  }

  /** Answers all held calls that have begun. */
  release(): void {
    this.#events.emit('release');
  }

  async greet(name: string): Promise<string> {
    return `Hello ${name}`;
  }

  async echo(value: unknown): Promise<unknown> {
    return value;
  }

  async fail(how: 'known' | 'unknown'): Promise<never> {
    if (how === 'known')
      throw new ServiceError('DataInUse', 'Busy.', { watchers: 2, store: 'ceph', ok: false, x: null });
    throw new RangeError('secret=hunter2');
  }

  async nothing(): Promise<void> {}

  async count(): Promise<number> {
    this.counted += 1;
    return this.counted;
  }

  repeatable(label: string): Promise<string> {
    return this.#hold(label);
  }

  single(label: string): Promise<string> {
    return this.#hold(label);
  }

  hasty(label: string): Promise<string> {
    return this.#hold(label);
  }

  async #hold(label: string): Promise<string> {
    this.running += 1;
    this.mostRunning = Math.max(this.running, this.mostRunning);
    this.begun.push(label);
    const released = once(this.#events, 'release');
    this.#events.emit('begun');
    await released;
    this.running -= 1;
    return `${this.name}: ${label}`;
  }
}
