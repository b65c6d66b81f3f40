import type { ChannelModel, ConfirmChannel, ConsumeMessage, Message } from 'amqplib';
import type { CallOptions, Contract } from '@glance/domain';
import type { RabbitSettings } from './config.js';
import type { Connection, Tenant } from './connection.js';
import { queueState } from './queue-state.js';
import { requestHeaders } from './request-context.js';
import { decodeReply, encodeCall, queueOf, unavailable, type Outcome } from './wire.js';

/** Milliseconds between two attempts at a queue that does not exist. */
const missingQueueRetry = 200;

/** Milliseconds between two looks at queues whose calls are not answered, and how old such a call must be. */
const lookInterval = 500;

const noConnection = 'there is no connection to the message broker';

interface Call {
  readonly id: string;
  readonly queue: string;
  readonly method: string;
  readonly content: Buffer;
  /** Whose request it is for. */
  readonly headers: Readonly<Record<string, string>>;
  readonly idempotent: boolean;
  /** `Date.now()` at which nobody waits any more. */
  readonly deadline: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** `waiting`: no registry can have it. `sent`: one may. `taken`: the broker has said that it is in the queue. */
  state: 'waiting' | 'sent' | 'taken';
  /** `Date.now()` */
  sentAt: number;
  returned: boolean;
}

/**
 * The calling side. Replies come by direct reply-to: there is no queue to declare, it costs the broker less than an
 * exclusive queue, and both are lost with the connection. What was not sent when the connection goes waits for the next
 * one; what was sent is sent again if it is idempotent, and otherwise fails with its outcome unknown.
 */
export class RabbitCaller implements Tenant {
  readonly #calls = new Map<string, Call>();
  /** Since when there has been no queue of that name. */
  readonly #missing = new Map<string, number>();
  /** Since when nobody has read a queue that exists: it outlives its registries, and the broker goes on taking calls. */
  readonly #unread = new Map<string, number>();
  readonly #looking: NodeJS.Timeout;
  #model: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;
  #lastId = 0;
  #closed = false;
  #resent = 0;
  #late = 0;

  constructor(
    private readonly settings: RabbitSettings,
    private readonly connection: Connection,
  ) {
    this.#looking = setInterval(() => void this.#look(), lookInterval).unref();
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** Calls that were sent again because the connection was lost. */
  get resent(): number {
    return this.#resent;
  }

  /** Replies that came when nobody waited for them any more. */
  get late(): number {
    return this.#late;
  }

  async call(contract: Contract<unknown>, method: string, args: readonly unknown[]): Promise<unknown> {
    const queue = queueOf(this.settings, contract);
    this.#refuseEarly(queue, method);
    const content = encodeCall(args);
    const { timeout, idempotent } = (contract.methods as Readonly<Record<string, CallOptions>>)[method]!;
    const milliseconds = Math.min(timeout, this.settings.rpcResponseTimeout * 1_000);
    return new Promise((resolve, reject) => {
      const call: Call = {
        id: String((this.#lastId += 1)),
        queue,
        method,
        content,
        headers: requestHeaders(),
        idempotent,
        deadline: Date.now() + milliseconds,
        timer: setTimeout(() => this.#expire(call), milliseconds),
        resolve,
        reject,
        state: 'waiting',
        sentAt: 0,
        returned: false,
      };
      this.#calls.set(call.id, call);
      this.#send(call);
    });
  }

  async up(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel();
    channel.on('error', () => undefined);
    channel.on('close', () => this.connection.reset(new Error('The channel of the calls was closed.')));
    channel.on('return', (message) => {
      const call = this.#calls.get(correlationOf(message));
      if (call) call.returned = true;
    });
    await channel.consume('amq.rabbitmq.reply-to', (message) => this.#settle(message), { noAck: true });
    model.on('unblocked', () => this.#sendWaiting());
    this.#channel = channel;
    this.#model = model;
    this.#sendWaiting();
  }

  down(): void {
    this.#channel = undefined;
    this.#model = undefined;
    this.#unread.clear();
    for (const call of this.#calls.values()) {
      if (call.state === 'waiting') continue;
      if (call.idempotent) {
        call.state = 'waiting';
        this.#resent += 1;
      } else {
        this.#fail(call, 'disconnected', 'the connection to the message broker was lost before the answer came');
      }
    }
  }

  /** Whether somebody answers the calls of `contract` now. */
  async reaches(contract: Contract<unknown>): Promise<boolean> {
    if (!this.#model || this.connection.state !== 'connected') return false;
    return ((await queueState(this.#model, queueOf(this.settings, contract)))?.consumerCount ?? 0) > 0;
  }

  /** How many calls of `contract` nobody has taken yet. */
  async waiting(contract: Contract<unknown>): Promise<number> {
    if (!this.#model) throw new Error('There is no connection to the message broker.');
    return (await queueState(this.#model, queueOf(this.settings, contract)))?.messageCount ?? 0;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#looking);
    for (const call of this.#calls.values()) this.#fail(call, 'stopping', 'this process stops');
  }

  #refuseEarly(queue: string, method: string): void {
    const { rpcCallsInFlight } = this.settings;
    const call = { queue, method };
    if (this.#closed) throw unavailable(call, 'stopping', 'not executed', 'this process stops');
    if (this.#calls.size >= rpcCallsInFlight) {
      throw unavailable(call, 'overloaded', 'not executed', `${rpcCallsInFlight} calls are under way already`);
    }
    if (this.#isTooLong(this.connection.outage)) {
      throw unavailable(call, 'disconnected', 'not executed', noConnection);
    }
    if (this.#isTooLong(this.#unreadFor(queue))) {
      throw unavailable(call, 'no registry', 'not executed', 'no registry is running');
    }
  }

  #sendWaiting(): void {
    for (const call of this.#calls.values()) {
      if (call.state === 'waiting') this.#send(call);
    }
  }

  #send(call: Call): void {
    // A broker short of memory leaves messages unread in the socket, where they would outlive their expiration.
    if (!this.#channel || this.connection.state === 'blocked') return;
    const expiration = call.deadline - Date.now();
    if (expiration <= 0) return;
    const { id, queue, method, content, headers } = call;
    const options = {
      correlationId: id,
      replyTo: 'amq.rabbitmq.reply-to',
      type: method,
      headers,
      expiration,
      mandatory: true,
    };
    call.returned = false;
    try {
      this.#channel.publish('', queue, content, options, (refusal) => this.#taken(call, refusal as Error | null));
      call.state = 'sent';
      call.sentAt = Date.now();
    } catch {
      // The channel is closing: `down` is about to come, and after it the next channel.
    }
  }

  /** The broker has confirmed or refused a message. */
  #taken(call: Call, refusal: Error | null): void {
    if (call.state !== 'sent' || !this.#calls.has(call.id)) return;
    if (refusal) {
      // The other refusal is the end of the channel, which `down` deals with.
      if (refusal.message !== 'message nacked') return;
      call.state = 'waiting';
      this.#fail(call, 'overloaded', 'too many calls wait for a registry already');
    } else if (call.returned) {
      this.#waitForQueue(call);
    } else {
      call.state = 'taken';
      this.#missing.delete(call.queue);
    }
  }

  #waitForQueue(call: Call): void {
    const since = this.#missing.get(call.queue) ?? Date.now();
    this.#missing.set(call.queue, since);
    call.state = 'waiting';
    if (Date.now() - since >= this.settings.rpcOutageGrace * 1_000) {
      this.#fail(call, 'no registry', 'no registry is running');
      return;
    }
    const again = () => {
      if (call.state === 'waiting' && this.#calls.has(call.id)) this.#send(call);
    };
    setTimeout(again, missingQueueRetry).unref();
  }

  #isTooLong(milliseconds: number): boolean {
    return milliseconds > this.settings.rpcOutageGrace * 1_000;
  }

  #unreadFor(queue: string): number {
    const since = this.#unread.get(queue);
    return since === undefined ? 0 : Date.now() - since;
  }

  async #look(): Promise<void> {
    if (this.#isTooLong(this.connection.outage)) {
      for (const call of this.#calls.values()) {
        if (call.state === 'waiting') this.#fail(call, 'disconnected', noConnection);
      }
    }
    if (this.#model) await this.#lookForReaders(this.#model);
  }

  /** Calls that nobody takes fail when the grace is over, and further ones at once, until somebody reads the queue. */
  async #lookForReaders(model: ChannelModel): Promise<void> {
    const old = Date.now() - lookInterval;
    const unanswered = [...this.#calls.values()].filter(({ state, sentAt }) => state === 'taken' && sentAt < old);
    for (const queue of new Set([...this.#unread.keys(), ...unanswered.map((call) => call.queue)])) {
      // A connection that fails meanwhile is the business of `down`.
      const state = await queueState(model, queue).catch(() => undefined);
      const readers = state?.consumerCount;
      if (this.#model !== model) return;
      if (readers !== 0) this.#unread.delete(queue);
      else if (!this.#unread.has(queue)) this.#unread.set(queue, Date.now());
      if (!this.#isTooLong(this.#unreadFor(queue))) continue;
      for (const call of unanswered) {
        if (call.queue === queue && this.#calls.has(call.id)) this.#fail(call, 'no registry', 'no registry is running');
      }
    }
  }

  #settle(message: ConsumeMessage | null): void {
    if (!message) {
      this.connection.reset(new Error('The broker delivers no replies any more.'));
      return;
    }
    const call = this.#calls.get(correlationOf(message));
    if (!call) {
      this.#late += 1;
      return;
    }
    this.#forget(call);
    try {
      call.resolve(decodeReply(message.content));
    } catch (error) {
      call.reject(error);
    }
  }

  #expire(call: Call): void {
    const { state } = call;
    this.#fail(call, 'timeout', 'no answer came in time');
    // A broker that takes no message for that long is as good as gone, and what is on its way there came too late.
    if (state === 'sent') this.connection.reset(new Error('The message broker does not confirm messages.'));
  }

  #fail(call: Call, reason: string, why: string): void {
    this.#forget(call);
    const outcome: Outcome = call.state === 'waiting' ? 'not executed' : 'unknown';
    call.reject(unavailable(call, reason, outcome, why));
  }

  #forget(call: Call): void {
    this.#calls.delete(call.id);
    clearTimeout(call.timer);
  }
}

function correlationOf({ properties }: Message): string {
  return properties.correlationId as string;
}
