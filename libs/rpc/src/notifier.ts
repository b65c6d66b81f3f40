import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import type { Logger } from '@glance/domain';
import type { RabbitSettings } from './config.js';
import { Connection, type Tenant } from './connection.js';

/** Milliseconds in which the broker must have taken a message, the wait for a connection not included. */
const confirmTimeout = 5_000;

/** Of oslo.messaging: `messagingv2` puts the message into an envelope that says its version, `messaging` does not. */
export type NotificationFormat = 'messagingv2' | 'messaging';

/** Sends messages to whoever listens to them, now or later. */
export interface Notifier {
  /**
   * Resolves once the broker has the message in the queue `topic`, which is made if need be. Waits `patience`
   * milliseconds for a connection, and rejects when the broker did not take the message; it may have arrived even so.
   */
  publish(topic: string, message: object, format: NotificationFormat, patience: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Publishes as the notifier of oslo.messaging does: to the topic exchange `control_exchange`, with a queue of the name
 * of the routing key bound to it, so that messages wait for consumers that come later. It connects in the background.
 */
export function rabbitNotifier(settings: RabbitSettings, logger: Logger): Notifier {
  const connection = new Connection(settings, logger);
  const notifier = new RabbitNotifier(settings, connection, logger);
  void connection.use(notifier);
  return notifier;
}

interface Session {
  readonly model: ChannelModel;
  readonly channel: ConfirmChannel;
  /** Queues by name that are there, or are being made. */
  readonly queues: Map<string, Promise<void>>;
}

class RabbitNotifier implements Tenant, Notifier {
  #session: Session | undefined;
  /** Ids of messages that found no queue. */
  readonly #returned = new Set<string>();

  constructor(
    private readonly settings: RabbitSettings,
    private readonly connection: Connection,
    private readonly logger: Logger,
  ) {}

  async up(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel();
    channel.on('error', () => undefined);
    channel.on('close', () => this.connection.reset(new Error('The channel of the notifications was closed.')));
    channel.on('return', ({ properties }) => this.#returned.add(properties.messageId as string));
    this.#session = { model, channel, queues: new Map() };
  }

  down(): void {
    this.#session = undefined;
    this.#returned.clear();
  }

  async publish(topic: string, message: object, format: NotificationFormat, patience: number): Promise<void> {
    if (this.connection.state !== 'connected') await this.connection.settled(patience);
    const session = this.#session;
    if (!session || this.connection.state !== 'connected') throw new Error('There is no connection to the broker.');
    let limit: NodeJS.Timeout | undefined;
    const tooSlow = new Promise<never>((_, reject) => {
      limit = setTimeout(() => {
        const reason = new Error('The message broker does not confirm notifications.');
        this.connection.reset(reason);
        reject(reason);
      }, confirmTimeout);
    });
    try {
      await Promise.race([this.#send(session, topic, encode(message, format)), tooSlow]);
    } finally {
      clearTimeout(limit);
    }
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  async #send(session: Session, topic: string, content: Buffer): Promise<void> {
    await this.#ensure(session, topic);
    const messageId = randomUUID();
    const options = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      persistent: true,
      // A queue that somebody deleted is made again, instead of losing what was for it.
      mandatory: true,
      messageId,
    };
    await new Promise<void>((resolve, reject) => {
      session.channel.publish(this.settings.controlExchange, topic, content, options, (refusal) =>
        refusal ? reject(refusal as Error) : resolve(),
      );
    });
    if (this.#returned.delete(messageId)) {
      session.queues.delete(topic);
      throw new Error(`The queue ${topic} was deleted.`);
    }
  }

  #ensure(session: Session, queue: string): Promise<void> {
    const known = session.queues.get(queue);
    if (known) return known;
    const made = this.#declare(session.model, queue);
    session.queues.set(queue, made);
    made.catch(() => session.queues.delete(queue));
    return made;
  }

  /** Exactly as oslo.messaging: a consumer declares them too, and is refused if it does so otherwise. */
  async #declare(model: ChannelModel, queue: string): Promise<void> {
    const { controlExchange, rabbitQuorumQueue, amqpDurableQueues, amqpAutoDelete: autoDelete } = this.settings;
    const options = { durable: amqpDurableQueues || rabbitQuorumQueue, autoDelete };
    await this.#unlessOtherwise(controlExchange, () =>
      onChannel(model, (channel) => channel.assertExchange(controlExchange, 'topic', options)),
    );
    await this.#unlessOtherwise(queue, () =>
      onChannel(model, (channel) =>
        channel.assertQueue(queue, { ...options, arguments: queueArguments(this.settings) }),
      ),
    );
    await onChannel(model, (channel) => channel.bindQueue(queue, controlExchange, queue));
  }

  async #unlessOtherwise(name: string, declare: () => Promise<void>): Promise<void> {
    try {
      await declare();
    } catch (error) {
      if ((error as { code?: number }).code !== 406) throw error;
      this.logger.warn('The exchange or queue of notifications was made with other options and is used as it is.', {
        name,
        error,
      });
    }
  }
}

function queueArguments(settings: RabbitSettings): Readonly<Record<string, unknown>> {
  const { rabbitHaQueues, rabbitQuorumQueue } = settings;
  const limits = {
    'x-delivery-limit': settings.rabbitQuorumDeliveryLimit,
    'x-max-in-memory-length': settings.rabbitQuorumMaxMemoryLength,
    'x-max-in-memory-bytes': settings.rabbitQuorumMaxMemoryBytes,
  };
  return {
    ...(rabbitHaQueues && { 'x-ha-policy': 'all' }),
    ...(rabbitQuorumQueue && {
      'x-queue-type': 'quorum',
      ...Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit > 0)),
    }),
  };
}

/** On a channel of its own: a refusal closes it. */
async function onChannel(model: ChannelModel, work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await work(channel);
  await channel.close();
}

function encode(message: object, format: NotificationFormat): Buffer {
  // oslo.messaging drops a message whose id it has seen just now, without acknowledging it: so every one has its own.
  const text = JSON.stringify({ ...message, _unique_id: randomUUID().replaceAll('-', '') });
  return Buffer.from(format === 'messagingv2' ? JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': text }) : text);
}
