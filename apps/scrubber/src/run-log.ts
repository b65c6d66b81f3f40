import { hostname } from 'node:os';
import type { Logger, RunReport, ScrubberRun, Scrubbing } from '@glance/domain';
import { Counter } from 'prom-client';

/** As many failures as a record names. */
const mostErrors = 20;

const work = new Counter({
  name: 'glance_scrub_work_total',
  help: 'Pieces of work that the scrubber of this process has taken on, by what came of them.',
  labelNames: ['outcome'],
});

const erased = new Counter({
  name: 'glance_scrub_erased_bytes_total',
  help: 'Bytes of images that the scrubber of this process has erased, as far as they were known.',
});

/** What a run does, told to the registry: from its first piece of work on, for most runs have none. */
export class RunLog {
  readonly #outcomes: Record<string, number> = {};
  readonly #errors: string[] = [];
  #bytes = 0;
  #record: Promise<string | undefined> | undefined;

  constructor(
    private readonly registry: Pick<Scrubbing, 'beginRun' | 'finishRun'>,
    private readonly kind: ScrubberRun['kind'],
    private readonly logger: Logger,
  ) {}

  /** There is something to do. */
  async begin(): Promise<void> {
    const run = { kind: this.kind, host: hostname() };
    this.#record ??= this.registry.beginRun(run).catch((error: unknown) => {
      this.logger.warn('What the scrubber does cannot be recorded.', { error });
      return undefined;
    });
    await this.#record;
  }

  count(outcome: string, bytes = 0): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    this.#bytes += bytes;
    work.inc({ outcome });
    erased.inc(bytes);
  }

  error(sentence: string): void {
    if (this.#errors.length < mostErrors) this.#errors.push(sentence);
  }

  get report(): RunReport {
    return { outcomes: { ...this.#outcomes }, bytes: this.#bytes, errors: [...this.#errors] };
  }

  async end(): Promise<void> {
    const id = await this.#record;
    if (id === undefined) return;
    await this.registry.finishRun(id, this.report).catch((error: unknown) => {
      this.logger.warn('What the scrubber did cannot be recorded.', { error });
    });
  }
}
