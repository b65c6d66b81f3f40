import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What is under way, so that a stop can wait for it. */
export class Traffic {
  /**
   * The latest response of each open connection. Not a set of all responses: one that changes with every request makes
   * the garbage collector keep every response since its last full collection.
   */
  private readonly latest = new Map<Socket, ServerResponse>();
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
  opened(response: ServerResponse, socket: Socket): void {
    this.work++;
    if (!this.latest.has(socket)) socket.once('close', () => this.latest.delete(socket));
    this.latest.set(socket, response);
  }

  closed(): void {
    this.work--;
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
    for (const response of this.latest.values()) if (!response.headersSent) response.shouldKeepAlive = false;
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
    return this.work === 0;
  }

  private check(): void {
    if (this.isIdle()) this.wake?.();
  }
}
