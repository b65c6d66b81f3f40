import type { Figures } from './figures.js';
import type { Target } from './target.js';

/** What every section gets. */
export interface Bench {
  readonly size: 'smoke' | 'full';
  /** Rounds: each runs every piece of work once, so that all take turns on the machine as it is. */
  readonly rounds: number;
  /** The services that are measured, the one under test first. */
  readonly targets: readonly Target[];
  /** For large files; gone when the benchmark ends. */
  readonly directory: string;
  readonly cores: number;
  /** Runs only pieces of work whose name contains this. */
  readonly work: string;
  /** Where CPU profiles of services go that a section starts; none are made if absent. */
  readonly profiles: string | undefined;
  progress(text: string): void;
}

export interface Column {
  readonly quantity: string;
  readonly title: string;
  readonly digits: number;
  /** Print the smallest and largest value, too. */
  readonly spread?: boolean;
}

/** A figure in words, beside what it should be. */
export interface Verdict {
  readonly text: string;
  /** One per round. */
  readonly values: readonly number[];
  readonly digits: number;
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

export interface SectionResult {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly figures: Figures;
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
}

export interface Section {
  readonly name: string;
  run(bench: Bench): Promise<SectionResult>;
}
