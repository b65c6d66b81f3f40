import { Inject, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Serves } from '../serves.js';
import { GREETER, HeldGreeter } from './contract.js';

const NAME = Symbol('NAME');

@Serves(GREETER)
export class NamedGreeter extends HeldGreeter {
  constructor(@Inject(NAME) name: string) {
    super(name);
  }
}

export const shutdowns: string[] = [];

@Injectable()
class Database implements OnApplicationShutdown {
  constructor(@Inject(NamedGreeter) private readonly greeter: NamedGreeter) {}

  onApplicationShutdown(): void {
    shutdowns.push(`closed with ${this.greeter.running} calls running`);
  }
}

@Module({ providers: [NamedGreeter, Database, { provide: NAME, useValue: 'injected' }] })
export class GreeterModule {}

@Serves(GREETER)
class Other extends HeldGreeter {}

@Module({ providers: [Other, NamedGreeter, { provide: NAME, useValue: 'x' }] })
export class Ambiguous {}
