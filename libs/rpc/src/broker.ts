import { type Contract, type Logger, type MethodOf, ServiceError, silentLogger } from '@glance/domain';
import { timedCall } from './call-metrics.js';
import { Service } from './service.js';

/** How a broker is doing, for probes and metrics. */
export interface BrokerStatus {
  /** Whether calls can be made and are being answered right now. */
  readonly ready: boolean;
  readonly connection: 'in process' | 'connecting' | 'connected' | 'blocked' | 'closed';
  /** Calls made that wait for their answer. */
  readonly callsInFlight: number;
  /** Calls of others that are being executed here. */
  readonly callsRunning: number;
  /** Since the start: connections made, calls sent again after a lost one, answers that came too late. */
  readonly connections: number;
  readonly callsResent: number;
  readonly lateReplies: number;
}

/** Carries calls of contracts to whoever serves them: in this process, or over a message broker. */
export interface Broker {
  /**
   * Rejects with the `ServiceError` that the method threw, or `Unavailable` when nobody answered in time. Its
   * `details.outcome` then is `not executed` or `unknown`.
   */
  call(contract: Contract<unknown>, method: string, args: readonly unknown[]): Promise<unknown>;
  /** Lets `implementation` answer the calls of `contract` from now on. */
  serve<T>(contract: Contract<T>, implementation: T & object): Promise<void>;
  /** Whether somebody answers the calls of `contract` now. Fails if that cannot be found out. */
  reaches(contract: Contract<unknown>): Promise<boolean>;
  /** How many calls of `contract` wait for somebody to take them. Fails if that cannot be found out. */
  waiting(contract: Contract<unknown>): Promise<number>;
  status(): BrokerStatus;
  /** Takes no more calls of others, and resolves when those that are being executed here are answered. */
  drain(): Promise<void>;
  /** Drains, and fails the calls that wait for an answer. */
  close(): Promise<void>;
}

/** The remote side of a contract as an ordinary object: a call on it is a call on the implementation. */
export function remote<T extends object>(contract: Contract<T>, broker: Broker): T {
  const methods = Object.keys(contract.methods) as MethodOf<T>[];
  return Object.fromEntries(
    methods.map((method) => {
      const name = { contract: contract.name, method };
      return [method, (...args: unknown[]) => timedCall(name, () => broker.call(contract, method, args))];
    }),
  ) as T;
}

/** A broker that calls straight into the implementation: api and registry in one process. */
export function inProcess(logger: Logger = silentLogger): Broker {
  const served = new Map<string, Service>();
  let running = 0;
  let drained = () => {};
  async function drain(): Promise<void> {
    served.clear();
    if (running > 0) await new Promise<void>((resolve) => (drained = resolve));
  }
  return {
    async call(contract, method, args) {
      const service = served.get(contract.name);
      if (!service) throw new ServiceError('Unavailable', `Nobody serves "${contract.name}" in this process.`);
      running += 1;
      try {
        return await service.call(method, args);
      } finally {
        running -= 1;
        if (running === 0) drained();
      }
    },
    async serve(contract, implementation) {
      served.set(contract.name, new Service(contract, implementation, logger));
    },
    reaches: async (contract) => served.has(contract.name),
    waiting: async () => 0,
    status: () => ({
      ready: true,
      connection: 'in process',
      callsInFlight: running,
      callsRunning: running,
      connections: 0,
      callsResent: 0,
      lateReplies: 0,
    }),
    drain,
    close: drain,
  };
}
