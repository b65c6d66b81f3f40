import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Logger } from '@glance/domain';
import { atMost } from './at-most.js';
import type { RabbitSettings } from './config.js';
import type { Connection, Tenant } from './connection.js';
import { queueOptions } from './queue-options.js';
import { inRequestOf } from './request-context.js';
import type { Service } from './service.js';
import { decodeCall, encodeError, encodeResult, queueOf, unavailable } from './wire.js';

const defaultPrefetch = 64;
const goodbyeTimeout = 1_000;

/** Milliseconds for which the answers of calls that may not be repeated are kept, should they be asked for again. */
const answersKept = 10_000;

interface Session {
  readonly model: ChannelModel;
  readonly channel: Channel;
  /** Consumer tags by queue. */
  readonly consumers: Map<string, string>;
}

interface CallProperties {
  readonly replyTo: string;
  readonly correlationId: string;
  readonly type: string;
}

/**
 * The answering side. A call is acknowledged when its answer is on its way, so one that dies with its registry goes to
 * another at once. That one executes it if it is idempotent. If not, nobody knows how far the first came, and whoever
 * waits is told so: acknowledging on delivery would leave them waiting for their whole time-out to learn the same.
 */
export class RabbitServer implements Tenant {
  readonly #services = new Map<string, Service>();
  /** By who waits for them: an answer lost with the connection is given again when its call is delivered again. */
  readonly #answers = new Map<string, Promise<Buffer>>();
  #session: Session | undefined;
  #running = 0;
  #closing = false;
  readonly #drained = Promise.withResolvers<void>();

  constructor(
    private readonly settings: RabbitSettings,
    private readonly connection: Connection,
    private readonly logger: Logger,
  ) {}

  get running(): number {
    return this.#running;
  }

  /** Whether calls of everything that is served are being taken. */
  get ready(): boolean {
    return this.#services.size === (this.#session?.consumers.size ?? 0);
  }

  async serve(service: Service): Promise<void> {
    const queue = queueOf(this.settings, service.contract);
    this.#services.set(queue, service);
    if (this.#session) await this.#subscribeOrReset(this.#session, queue);
  }

  async up(model: ChannelModel): Promise<void> {
    if (this.#closing) return;
    const session = { model, channel: await model.createChannel(), consumers: new Map<string, string>() };
    session.channel.on('error', () => undefined);
    session.channel.on('close', () => {
      if (!this.#closing) this.connection.reset(new Error('The channel of the served calls was closed.'));
    });
    await session.channel.prefetch(this.settings.rabbitQosPrefetchCount || defaultPrefetch);
    for (const queue of this.#services.keys()) await this.#subscribe(session, queue);
    this.#session = session;
  }

  down(): void {
    this.#session = undefined;
  }

  async drain(): Promise<void> {
    this.#closing = true;
    const { channel, consumers } = this.#session ?? {};
    this.#session = undefined;
    const tags = [...(consumers?.values() ?? [])];
    if (channel) await atMost(goodbyeTimeout, Promise.all(tags.map((tag) => channel.cancel(tag))));
    if (this.#running === 0) this.#drained.resolve();
    await atMost(this.settings.rpcResponseTimeout * 1_000, this.#drained.promise);
    // The end of the channel comes behind all answers on it.
    if (channel) await atMost(goodbyeTimeout, channel.close());
  }

  async #subscribe(session: Session, queue: string): Promise<void> {
    const service = this.#services.get(queue)!;
    await this.#declare(session.model, queue);
    const { consumerTag } = await session.channel.consume(queue, (message) => {
      if (message) this.#receive(session.channel, service, message);
      else void this.#resubscribe(session, queue);
    });
    session.consumers.set(queue, consumerTag);
  }

  /** The queue was deleted, or its node went away. */
  async #resubscribe(session: Session, queue: string): Promise<void> {
    session.consumers.delete(queue);
    this.logger.warn('The message broker stopped delivering calls.', { queue });
    await sleep(this.settings.kombuReconnectDelay * 1_000, undefined, { ref: false });
    if (this.#session !== session || this.#closing) return;
    await this.#subscribeOrReset(session, queue);
  }

  async #subscribeOrReset(session: Session, queue: string): Promise<void> {
    await this.#subscribe(session, queue).catch((error: unknown) => this.connection.reset(error));
  }

  async #declare(model: ChannelModel, queue: string): Promise<void> {
    // Not on the channel of the calls: a refusal closes it.
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    try {
      await channel.assertQueue(queue, queueOptions(this.settings));
      await channel.close();
    } catch (error) {
      if ((error as { code?: number }).code !== 406) throw error;
      this.logger.warn('The queue was made with other options and is used as it is until it goes.', { queue, error });
    }
  }

  #receive(channel: Channel, service: Service, message: ConsumeMessage): void {
    const { replyTo, correlationId, type } = message.properties as Partial<CallProperties>;
    if (typeof replyTo !== 'string' || typeof correlationId !== 'string' || typeof type !== 'string') {
      this.logger.warn('A message that is no call was dropped.', { queue: message.fields.routingKey });
      channel.ack(message);
      return;
    }
    this.#running += 1;
    void inRequestOf(message.properties.headers, () => this.#answer(service, type, message)).then((content) => {
      reply(channel, message, content);
      this.#running -= 1;
      if (this.#closing && this.#running === 0) this.#drained.resolve();
    });
  }

  async #answer(service: Service, method: string, message: ConsumeMessage): Promise<Buffer> {
    try {
      if (service.optionsOf(method).idempotent) return await execute(service, method, message);
      return await this.#executeOnce(service, method, message);
    } catch (error) {
      return encodeError(service.failure(error, method));
    }
  }

  #executeOnce(service: Service, method: string, message: ConsumeMessage): Promise<Buffer> {
    const { replyTo, correlationId } = message.properties as CallProperties;
    const key = `${replyTo} ${correlationId}`;
    const known = this.#answers.get(key);
    if (known) return known;
    if (message.fields.redelivered) {
      const call = { queue: message.fields.routingKey, method };
      throw unavailable(call, 'interrupted', 'unknown', 'the registry that was at it went away');
    }
    const answer = execute(service, method, message);
    this.#answers.set(key, answer);
    void answer.then(() => setTimeout(() => this.#answers.delete(key), answersKept).unref());
    return answer;
  }
}

async function execute(service: Service, method: string, message: ConsumeMessage): Promise<Buffer> {
  let args: readonly unknown[] | undefined;
  try {
    args = decodeCall(message.content);
    return encodeResult(await service.call(method, args));
  } catch (error) {
    return encodeError(service.failure(error, method, args));
  }
}

function reply(channel: Channel, message: ConsumeMessage, content: Buffer): void {
  const { replyTo, correlationId } = message.properties as CallProperties;
  try {
    channel.publish('', replyTo, content, { correlationId });
    channel.ack(message);
  } catch {
    // The channel is gone, so the broker delivers the call again.
  }
}
