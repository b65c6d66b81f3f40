/** What one run of one piece of work showed: quantities by name, unit in the name. */
export type Run = Readonly<Record<string, number>>;

export interface Row {
  readonly work: string;
  /** Whose work it was: the service, the other service, or a yardstick. */
  readonly who: string;
  readonly runs: readonly Run[];
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** All runs of a section, in the order in which the pieces of work first ran. */
export class Figures {
  readonly #rows: { work: string; who: string; runs: Run[] }[] = [];

  get rows(): readonly Row[] {
    return this.#rows;
  }

  add(work: string, who: string, run: Run): void {
    const row = this.#rows.find((other) => other.work === work && other.who === who);
    if (row) row.runs.push(run);
    else this.#rows.push({ work, who, runs: [run] });
  }

  /** One value per round, empty if that did not run. */
  values(work: string, who: string, quantity: string): number[] {
    const runs = this.#rows.find((row) => row.work === work && row.who === who)?.runs ?? [];
    return runs.map((run) => run[quantity]).filter((value) => value !== undefined);
  }
}

/** Combines values of the same round, so that what slowed a whole round down cancels out. */
export function eachRound(series: readonly (readonly number[])[], combine: (...values: number[]) => number): number[] {
  const rounds = Math.min(...series.map((values) => values.length));
  return Array.from({ length: rounds }, (_, round) => combine(...series.map((values) => values[round]!)));
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0]!, median: percentile(sorted, 0.5), max: sorted.at(-1)! };
}

/** Of ascending values, interpolated between neighbours. */
export function percentile(sorted: readonly number[], fraction: number): number {
  const at = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}
