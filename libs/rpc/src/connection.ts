import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChannelModel } from 'amqplib';
import type { Logger } from '@glance/domain';
import { atMost } from './at-most.js';
import type { RabbitSettings } from './config.js';
import { dial } from './dial.js';
import type { RabbitHost } from './transport-url.js';

/** Whoever uses a `Connection`: told of every new one, and of its end. */
export interface Tenant {
  /** Opens its channels. A failure ends the connection, and the next one is made. */
  up(model: ChannelModel): Promise<void>;
  /** Channels of the last `up` are gone. */
  down(reason: Error): void;
}

/** `blocked`: the broker is short of memory or disk and accepts no messages. */
export type ConnectionState = 'connecting' | 'connected' | 'blocked' | 'closed';

const openTimeout = 20_000;
const goodbyeTimeout = 1_000;

/** A session that ends sooner counts as a failed attempt, so that a broker that turns us away is not stormed. */
const settledAfter = 5_000;

/** A connection to RabbitMQ that is made, and made again whenever it is lost, in the background. */
export class Connection {
  readonly #tenants = new Set<Tenant>();
  readonly #closing = new AbortController();
  readonly #hosts: readonly RabbitHost[];
  readonly #running: Promise<void>;
  #model: ChannelModel | undefined;
  #state: ConnectionState = 'connecting';
  #changed = Promise.withResolvers<void>();
  #sessions = 0;
  #downSince: number | undefined = Date.now();

  constructor(
    private readonly settings: RabbitSettings,
    private readonly logger: Logger,
  ) {
    // Replicas start at different hosts, or all of them would sit on the first one.
    const { hosts } = settings.url;
    const start = Math.floor(Math.random() * hosts.length);
    this.#hosts = [...hosts.slice(start), ...hosts.slice(0, start)];
    this.#running = this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Milliseconds for which no message could be sent; 0 while they can. */
  get outage(): number {
    return this.#downSince === undefined ? 0 : Date.now() - this.#downSince;
  }

  /** How often the connection was made. */
  get sessions(): number {
    return this.#sessions;
  }

  /** Tells `tenant` of every connection from now on, the present one included. */
  async use(tenant: Tenant): Promise<void> {
    this.#tenants.add(tenant);
    const model = this.#model;
    if (model) await tenant.up(model).catch((error: unknown) => this.reset(error));
  }

  /** Resolves with true once messages can be sent, or with false after `milliseconds`. */
  async settled(milliseconds: number): Promise<boolean> {
    const expired = sleep(milliseconds, true, { ref: false });
    while (this.#state !== 'connected' && this.#state !== 'closed') {
      if (await Promise.race([this.#changed.promise, expired])) break;
    }
    return this.#state === 'connected';
  }

  /** Gives up the present connection, as after an error that only the tenant understands. */
  reset(reason: unknown): void {
    if (this.#model && !this.#isClosing()) socketOf(this.#model).destroy(asError(reason));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const model = this.#model;
    if (model) {
      // A broker that does not answer any more must not keep us from stopping.
      await atMost(goodbyeTimeout, model.close());
      socketOf(model).destroy(new Error('Closed.'));
    }
    // An attempt that is under way cannot be stopped; it ends by itself.
    await atMost(goodbyeTimeout, this.#running);
    this.#become('closed');
  }

  async #run(): Promise<void> {
    for (let attempt = 0, failures = 0; !this.#isClosing(); attempt += 1) {
      const host = this.#nextHost(attempt);
      const begin = Date.now();
      const reason = await this.#session(host);
      if (this.#isClosing()) break;
      const settled = this.#state !== 'connecting' && Date.now() - begin > settledAfter;
      failures = settled ? 0 : failures + 1;
      const delay = this.#delay(failures);
      this.logger.warn('No connection to the message broker.', {
        broker: host.toString(),
        retryIn: delay,
        error: reason,
      });
      this.#become('connecting');
      await sleep(delay, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** Resolves with the reason once the connection could not be made, or was lost. */
  async #session(host: RabbitHost): Promise<Error> {
    let model: ChannelModel;
    try {
      model = await dial(this.settings, host);
    } catch (error) {
      return asError(error);
    }
    const ended = this.#endOf(model, host);
    if (this.#isClosing()) {
      socketOf(model).destroy();
      return new Error('Closed.');
    }
    this.#model = model;
    const opened = this.#open(model, host);
    const reason = await ended;
    this.#model = undefined;
    // After a missed heartbeat amqplib only half-closes the socket, which would stay for minutes.
    socketOf(model).destroy();
    await opened;
    for (const tenant of this.#tenants) tenant.down(reason);
    return reason;
  }

  #endOf(model: ChannelModel, host: RabbitHost): Promise<Error> {
    model.on('blocked', (cause) => {
      this.logger.warn('The message broker accepts no messages.', { broker: host.toString(), cause });
      this.#become('blocked');
    });
    model.on('unblocked', () => this.#become('connected'));
    return new Promise((resolve) => {
      // amqplib tells the cause with `error` and only then of the end with `close`; unheard, it would end the process.
      model.on('error', resolve);
      model.on('close', (error) => resolve(error ?? new Error('The connection was closed.')));
    });
  }

  async #open(model: ChannelModel, host: RabbitHost): Promise<void> {
    const tooSlow = new Error('The channels were not opened in time.');
    const limit = setTimeout(() => socketOf(model).destroy(tooSlow), openTimeout);
    try {
      await Promise.all([...this.#tenants].map((tenant) => tenant.up(model)));
      this.#sessions += 1;
      this.#become('connected');
      this.logger.info('Connected to the message broker.', { broker: host.toString() });
    } catch (error) {
      socketOf(model).destroy(asError(error));
    } finally {
      clearTimeout(limit);
    }
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#downSince = state === 'connected' ? undefined : (this.#downSince ?? Date.now());
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #nextHost(attempt: number): RabbitHost {
    const hosts = this.#hosts;
    const shuffle = this.settings.kombuFailoverStrategy === 'shuffle';
    return hosts[shuffle ? Math.floor(Math.random() * hosts.length) : attempt % hosts.length]!;
  }

  /** Milliseconds until the next attempt: hosts are tried one right after the other, rounds are spaced out. */
  #delay(failures: number): number {
    const { rabbitRetryInterval, rabbitRetryBackoff, rabbitIntervalMax } = this.settings;
    const rounds = Math.floor(failures / this.#hosts.length);
    const seconds = Math.min(rabbitRetryInterval + (rounds - 1) * rabbitRetryBackoff, rabbitIntervalMax);
    // Spread, so that a broker that comes back is not met by everybody at once.
    return Math.round(
      1_000 * (rounds === 0 || failures % this.#hosts.length > 0 ? 0.1 : seconds) * (0.5 + Math.random() / 2),
    );
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** amqplib keeps its socket to itself, and has no way to end a connection whose other side is silent. */
function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { stream: Socket }).stream;
}
