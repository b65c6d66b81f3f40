import { randomUUID } from 'node:crypto';
import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { inRequest } from '@glance/rpc';
import { Scrubber, type ScrubberParts } from './scrubber.js';

const SCRUBBER = Symbol('scrubber');
const INTERVAL = Symbol('interval');

/** Runs a scrubber again and again for as long as the application lives. */
@Module({})
export class ScrubberModule implements OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  /** `interval`: milliseconds between the end of one run and the start of the next. */
  static every(interval: number, parts: ScrubberParts): DynamicModule {
    return {
      module: ScrubberModule,
      providers: [
        { provide: SCRUBBER, useValue: { scrubber: new Scrubber(parts), logger: parts.logger } },
        { provide: INTERVAL, useValue: interval },
      ],
    };
  }

  constructor(
    @Inject(SCRUBBER) private readonly parts: { scrubber: Scrubber; logger: ScrubberParts['logger'] },
    @Inject(INTERVAL) private readonly interval: number,
  ) {
    this.running = this.loop();
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        // Nobody has asked for it, but its lines, here and in the registry, belong together.
        await inRequest({ requestId: `req-${randomUUID()}` }, () => this.parts.scrubber.run(signal));
      } catch (error) {
        this.parts.logger.warn('The scrubber could not ask what is due.', { error });
      }
      await pause(this.interval, signal);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
