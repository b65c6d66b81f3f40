import { ServiceError, type CallOptions, type Contract, type Logger } from '@glance/domain';
import { timedExecution } from './call-metrics.js';

/** An implementation of a contract whose methods are called by name; fails with `ServiceError` only. */
export class Service {
  readonly #methods: Readonly<Record<string, CallOptions>>;
  readonly #implementation: Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

  constructor(
    readonly contract: Contract<unknown>,
    implementation: object,
    private readonly logger: Logger,
  ) {
    this.#methods = contract.methods;
    this.#implementation = implementation as never;
  }

  /** How `method` is to be called; throws `Unavailable` when this version of the service does not have it. */
  optionsOf(method: string): CallOptions {
    if (Object.hasOwn(this.#methods, method)) return this.#methods[method]!;
    // Replicas of two versions run side by side during an upgrade: another one may know it, so the caller may try again.
    throw new ServiceError('Unavailable', `This version has no method "${this.contract.name}.${method}".`, {
      reason: 'unknown method',
      outcome: 'not executed',
    });
  }

  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    this.optionsOf(method);
    this.logger.debug(`Call of ${this.contract.name}.${method}.`);
    try {
      const name = { contract: this.contract.name, method };
      return await timedExecution(name, async () => this.#implementation[method]!(...args));
    } catch (error) {
      throw this.failure(error, method, args);
    }
  }

  /** What a caller is told of `error`. What is no `ServiceError` is a defect: it is logged here and stays here. */
  failure(error: unknown, method: string, args: readonly unknown[] = []): ServiceError {
    if (error instanceof ServiceError) return error;
    const [caller] = args as readonly [{ readonly requestId?: string }?];
    const call = { contract: this.contract.name, method, requestId: caller?.requestId };
    this.logger.error('A call failed unexpectedly.', { ...call, error });
    return new ServiceError('Internal', `The call ${this.contract.name}.${method} failed unexpectedly.`);
  }
}
