import type { ServerResponse } from 'node:http';

/** What is under way, so that a stop can wait for it. */
export class Traffic {
  private readonly responses = new Set<ServerResponse>();
  private work = 0;
  private wake: (() => void) | undefined;
  private announced = false;
  private stopping = false;

  /** Whether a stop is near: requests are served, and each connection ends with its answer. */
  get leaving(): boolean {
    return this.announced;
  }

  /** Whether new requests are turned away. */
  get draining(): boolean {
    return this.stopping;
  }

  /** Counts a response until its connection is done with it. */
  opened(response: ServerResponse): void {
    this.responses.add(response);
  }

  closed(response: ServerResponse): void {
    this.responses.delete(response);
    this.check();
  }

  /** Counts work that goes on whether or not the client is still there. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.work++;
    try {
      return await work;
    } finally {
      this.work--;
      this.check();
    }
  }

  /** Lets connections end one by one. */
  leave(): void {
    this.announced = true;
    for (const response of this.responses) if (!response.headersSent) response.shouldKeepAlive = false;
  }

  /** Turns new requests away. Resolves with true once nothing is under way, with false after `graceMs`. */
  async drain(graceMs: number): Promise<boolean> {
    this.stopping = true;
    this.leave();
    return this.idle(graceMs);
  }

  private async idle(timeoutMs: number): Promise<boolean> {
    if (this.isIdle()) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wake = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    this.wake = undefined;
    return this.isIdle();
  }

  private isIdle(): boolean {
    return this.responses.size === 0 && this.work === 0;
  }

  private check(): void {
    if (this.isIdle()) this.wake?.();
  }
}
