import type { Logger } from '@glance/domain';
import { rabbitNotifier } from '@glance/rpc';
import type { NotificationSettings } from './config.js';
import type { OutboxRow } from './outbox.js';

/** Where notifications go. */
export interface Delivery {
  /** Rejects unless everybody who is to have it, has it. */
  deliver(row: OutboxRow): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds to wait for a connection to the broker. */
const patience = 2_000;

/** Sends notifications to where the settings say, in the formats of oslo.messaging. */
export function deliveryTo(settings: NotificationSettings, logger: Logger): Delivery {
  const { drivers, topics, publisherId, rabbit } = settings;
  const notifier = rabbit && rabbitNotifier(rabbit, logger);
  const formats = drivers.filter((driver) => driver !== 'log');
  return {
    async deliver(row) {
      const content = contentOf(row, publisherId);
      const message = { ...content, ...contextOf(row) };
      for (const format of formats) {
        for (const topic of topics) {
          await notifier?.publish(`${topic}.${row.priority.toLowerCase()}`, message, format, patience);
        }
      }
      if (drivers.includes('log'))
        logger.info(`Notification: ${JSON.stringify(content)}`, { requestId: requestIdOf(row) });
    },
    async close() {
      await notifier?.close();
    },
  };
}

function contentOf(row: OutboxRow, publisherId: string) {
  return {
    message_id: row.message_id,
    publisher_id: publisherId,
    event_type: row.event_type,
    priority: row.priority,
    payload: JSON.parse(row.payload) as unknown,
    timestamp: pythonTime(row.created_at),
  };
}

function contextOf({ context }: OutboxRow): object {
  const values = Object.entries(JSON.parse(context ?? '{}') as Readonly<Record<string, unknown>>);
  return Object.fromEntries(values.map(([name, value]) => [`_context_${name}`, value]));
}

function requestIdOf({ context }: OutboxRow): unknown {
  return (JSON.parse(context ?? '{}') as Readonly<Record<string, unknown>>)['request_id'];
}

/** `YYYY-MM-DD HH:MM:SS.ffffff` */
function pythonTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, -1).replace('T', ' ')}000`;
}
