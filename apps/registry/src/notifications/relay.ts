import type { Logger } from '@glance/domain';
import { Counter } from 'prom-client';
import type { Database } from '../database/database.js';
import type { Delivery } from './delivery.js';
import { forget, oldest, type Outbox, type OutboxRow, recordFailure } from './outbox.js';
import { RelayLease } from './relay-lease.js';

export interface RelayParts {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly delivery: Delivery;
  readonly logger: Logger;
  /** How often a failed delivery is tried again; -1: no limit. */
  readonly retry: number;
  /** Milliseconds after which another process takes over from one that died. */
  readonly term?: number;
  /** Milliseconds between looks at what other processes have written. */
  readonly interval?: number;
}

const batch = 100;

const attempts = new Counter({
  name: 'glance_notifications_total',
  help: 'Notifications that were delivered, could not be delivered for now, and were dropped after too many attempts.',
  labelNames: ['outcome'],
});

/**
 * Sends what is in the outbox, and removes what was sent: those about one image one after the other, in the order of the
 * changes. A process that dies in between leaves some to be sent once more, by whoever gets the lease.
 */
export class Relay {
  readonly #lease: RelayLease;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #news = Promise.withResolvers<void>();
  #failing = false;

  /** Milliseconds that one delivery may take: none begins when the lease could run out meanwhile. */
  readonly #margin: number;

  constructor(private readonly parts: RelayParts) {
    const term = parts.term ?? 15_000;
    this.#lease = new RelayLease(parts.database, term);
    this.#margin = term / 2;
    parts.outbox.onAdded(() => {
      if (this.#lease.left > 0) this.#news.resolve();
    });
    this.#running = this.#run();
  }

  /** Sends what it can at once, and stops. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#news.resolve();
    await this.#running;
    await this.parts.delivery.close();
  }

  async #run(): Promise<void> {
    for (let last = false, more = true; !last || more;) {
      last = this.#closing.signal.aborted;
      more = await this.#round().catch((error: unknown) => this.#failed(error));
      if (!more && !last) await this.#pause();
    }
    await this.#lease.release().catch((error: unknown) => this.#failed(error));
  }

  /** Whether there is more to do at once. */
  async #round(): Promise<boolean> {
    const { database, retry, logger } = this.parts;
    if (!(await this.#lease.hold())) return false;
    const rows = await oldest(database, batch);
    if (rows.length === 0) return false;
    const { sent, failed, reason } = await this.#send(rows);
    await forget(database, sent);
    attempts.inc({ outcome: 'delivered' }, sent.length);
    attempts.inc({ outcome: 'failed' }, failed.length);
    if (failed.length === 0) {
      this.#recovered();
      return rows.length === batch || sent.length < rows.length;
    }
    this.#failed(reason);
    const dropped = await recordFailure(database, failed, retry);
    attempts.inc({ outcome: 'dropped' }, dropped);
    if (dropped > 0) logger.error('Notifications that could not be delivered were dropped.', { dropped });
    // Another process may reach the broker.
    await this.#lease.release();
    return false;
  }

  async #send(rows: readonly OutboxRow[]): Promise<{ sent: number[]; failed: number[]; reason: unknown }> {
    const sent: number[] = [];
    const failed: number[] = [];
    let reason: unknown;
    const oneAfterTheOther = async (some: readonly OutboxRow[]): Promise<void> => {
      for (const row of some) {
        if (this.#lease.left < this.#margin || reason !== undefined) return;
        try {
          await this.parts.delivery.deliver(row);
          sent.push(row.id);
        } catch (error) {
          failed.push(row.id);
          reason = error;
        }
      }
    };
    await Promise.all([...Map.groupBy(rows, (row) => row.subject).values()].map(oneAfterTheOther));
    return { sent, failed, reason };
  }

  async #pause(): Promise<void> {
    const timer = setTimeout(() => this.#news.resolve(), this.parts.interval ?? 1_000);
    await this.#news.promise;
    clearTimeout(timer);
    this.#news = Promise.withResolvers();
  }

  #failed(error: unknown): false {
    if (!this.#failing) {
      this.parts.logger.warn('Notifications cannot be delivered now; they wait in the database.', { error });
    }
    this.#failing = true;
    return false;
  }

  #recovered(): void {
    if (this.#failing) this.parts.logger.info('Notifications are being delivered again.');
    this.#failing = false;
  }
}
