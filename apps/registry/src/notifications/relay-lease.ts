import { randomUUID } from 'node:crypto';
import type { Database } from '../database/database.js';
import { insert } from '../images/image-writes.js';
import { isDuplicate } from '../database/failure.js';

/** The right to send notifications, which one process has at a time, or what they tell would be out of order. */
export class RelayLease {
  readonly #owner = randomUUID();
  #until = 0;

  constructor(
    readonly database: Database,
    /** Milliseconds. */
    readonly term: number,
    readonly clock: () => number = Date.now,
  ) {}

  /** Milliseconds for which nobody else can have it. */
  get left(): number {
    return this.#until - this.clock();
  }

  /** Takes it if nobody has it, and extends it in time. Whether it is held. */
  async hold(): Promise<boolean> {
    if (this.left > (this.term * 2) / 3) return true;
    const now = this.clock();
    const sql =
      'UPDATE notification_relay SET owner = ?, expires_at = ? WHERE id = 1 AND (owner = ? OR expires_at < ?)';
    const won = await this.database.run(sql, [this.#owner, now + this.term, this.#owner, now]);
    this.#until = won > 0 ? now + this.term : 0;
    if (won === 0) await this.#create();
    return won > 0;
  }

  /** Lets somebody else have it at once. */
  async release(): Promise<void> {
    if (this.left <= 0) return;
    this.#until = 0;
    await this.database.run('UPDATE notification_relay SET expires_at = 0 WHERE id = 1 AND owner = ?', [this.#owner]);
  }

  async #create(): Promise<void> {
    if ((await this.database.rows('SELECT id FROM notification_relay')).length > 0) return;
    try {
      await this.database.transaction((tx) =>
        insert(tx, 'notification_relay', [{ id: 1, owner: this.#owner, expires_at: 0 }]),
      );
    } catch (error) {
      // Somebody else was faster.
      if (!isDuplicate(error)) throw error;
    }
  }
}
