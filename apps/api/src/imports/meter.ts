import type { ImportProgress } from '@glance/domain';
import type { Bytes } from '@glance/store';

/** Counts how far an import is. */
export class Meter {
  step = 'begin';
  private done = 0;
  private total: number | null = null;
  private began = performance.now();

  /** A new step begins with `data`, of which `total` bytes are expected. */
  async *through(data: Bytes, total: number | undefined): Bytes {
    this.begin(total);
    for await (const chunk of data) {
      this.done += chunk.length;
      yield chunk;
    }
  }

  /** Counts anew. */
  begin(total: number | undefined): void {
    this.done = 0;
    this.total = total ?? null;
    this.began = performance.now();
  }

  /** `done` bytes of the current step are dealt with. */
  reached(done: number): void {
    this.done = done;
  }

  report(): ImportProgress {
    const seconds = Math.max(performance.now() - this.began, 1) / 1000;
    return { step: this.step, done: this.done, total: this.total, rate: Math.round(this.done / seconds) };
  }
}
