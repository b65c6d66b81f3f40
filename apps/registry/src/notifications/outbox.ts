import { randomUUID } from 'node:crypto';
import type { Caller } from '@glance/domain';
import type { Database } from '../database/database.js';
import { marks, type Statements } from '../database/session.js';
import { insert } from '../images/image-writes.js';
import { type NotificationSettings, silence } from './config.js';
import type { NotificationEvent } from './events.js';

/** A notification that is to be sent. */
export interface OutboxRow {
  readonly id: number;
  readonly message_id: string;
  readonly event_type: string;
  readonly priority: 'INFO' | 'ERROR';
  /** JSON. */
  readonly payload: string;
  /** JSON object. */
  readonly context: string | null;
  readonly subject: string;
  /** Milliseconds of the epoch. */
  readonly created_at: number;
}

/**
 * The table `notification_outbox`. What is put in by the transaction that makes a change is there if and only if the
 * change is.
 */
export class Outbox {
  #added: () => void = () => undefined;

  constructor(
    readonly settings: Pick<NotificationSettings, 'drivers' | 'disabled'>,
    readonly clock: () => number = Date.now,
  ) {}

  /** Calls `listener` whenever something was committed to it by this process. */
  onAdded(listener: () => void): void {
    this.#added = listener;
  }

  /** Whether anybody wants notifications of this type. Glance: a group is what stands before the first dot. */
  wants(type: string): boolean {
    const { drivers, disabled } = this.settings;
    return drivers.length > 0 && !disabled.includes(type) && !disabled.includes(type.split('.', 1)[0]!);
  }

  /** What notifications say of who asked for the change. */
  contextOf({ requestId, userId, projectId }: Caller): string | null {
    if (this.settings.drivers.length === 0) return null;
    return JSON.stringify({ request_id: requestId, user_id: userId, project_id: projectId });
  }

  /** About one image, whose lock the transaction holds: so their order is that of the changes. */
  async add(tx: Statements, context: string | null, ...events: readonly NotificationEvent[]): Promise<void> {
    const wanted = events.filter(({ type }) => this.wants(type));
    if (wanted.length === 0) return;
    const rows = wanted.map(({ type, priority, payload, subject }) => ({
      message_id: randomUUID(),
      event_type: type,
      priority,
      payload: jsonOf(payload),
      context,
      subject,
      created_at: this.clock(),
    }));
    await insert(tx, 'notification_outbox', rows);
    tx.onCommit(this.#added);
  }
}

/** For whom nobody is to be told anything. */
export const noOutbox = new Outbox(silence);

/** At most `limit` rows, oldest first. */
export async function oldest(database: Database, limit: number): Promise<readonly OutboxRow[]> {
  const columns = 'id, message_id, event_type, priority, payload, context, subject, created_at';
  return database.rows<OutboxRow>(`SELECT ${columns} FROM notification_outbox ORDER BY id LIMIT ?`, [limit]);
}

/** These have been sent. */
export async function forget(database: Database, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await database.run(`DELETE FROM notification_outbox WHERE id IN (${marks(ids)})`, ids);
}

/** Sending these has failed once more. Answers how many were dropped because that was once too often. */
export async function recordFailure(database: Database, ids: readonly number[], retry: number): Promise<number> {
  if (retry < 0 || ids.length === 0) return 0;
  const mine = `id IN (${marks(ids)})`;
  return database.transaction(async (tx) => {
    const dropped = await tx.run(`DELETE FROM notification_outbox WHERE ${mine} AND attempts >= ?`, [...ids, retry]);
    await tx.run(`UPDATE notification_outbox SET attempts = attempts + 1 WHERE ${mine}`, ids);
    return dropped;
  });
}

/** Characters. Beyond it, brokers and databases refuse what they are sent, and with it the change. */
const longest = 1024 * 1024;

/** Without the properties of an image if those are too much: whoever needs them can ask for the image. */
function jsonOf(payload: unknown): string {
  const text = threeByteJson(payload);
  return text.length <= longest ? text : threeByteJson({ ...(payload as object), properties: {} });
}

/** Glance: its tables, and ours like them, have no room for characters of four bytes; JSON can say them otherwise. */
function threeByteJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}
