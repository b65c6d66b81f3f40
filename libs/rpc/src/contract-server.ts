import { ModulesContainer } from '@nestjs/core';
import type { AsyncMicroserviceOptions, CustomTransportStrategy } from '@nestjs/microservices';
import type { Broker } from './broker.js';
import { servedIn } from './serves.js';

/**
 * The transport of a Nest microservice whose providers are marked with `Serves`:
 * `NestFactory.createMicroservice(RegistryModule, contractServer(broker))`. When the application closes, the broker is
 * drained before `beforeApplicationShutdown` and what follows; whoever made the broker closes it.
 */
export function contractServer(broker: Broker): AsyncMicroserviceOptions {
  return {
    inject: [ModulesContainer],
    useFactory: (modules: ModulesContainer) => ({ strategy: new ContractServer(broker, modules) }),
  };
}

/** Calls go straight to the providers: there are no patterns, packets and observables of Nest to pay for on the way. */
class ContractServer implements CustomTransportStrategy {
  constructor(
    private readonly broker: Broker,
    private readonly modules: ModulesContainer,
  ) {}

  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      for (const { contract, implementation } of servedIn(this.modules)) {
        await this.broker.serve(contract, implementation);
      }
      callback();
    } catch (error) {
      callback(error);
    }
  }

  close(): Promise<void> {
    return this.broker.drain();
  }
}
