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
    return this.allValues(who, quantity, (name) => name === work);
  }

  /** The same of all pieces of work whose name is one that is `wanted`. */
  allValues(who: string, quantity: string, wanted: (work: string) => boolean = () => true): number[] {
    return this.#rows
      .filter((row) => row.who === who && wanted(row.work))
      .flatMap(({ runs }) => runs.map((run) => run[quantity]))
      .filter((value) => value !== undefined);
  }
}

type Rounds = readonly number[];

/** The one divided by the other in the same round, so that what slowed a whole round down cancels out. */
export function divide(over: Rounds, under: Rounds): number[] {
  return eachRound([over, under], (a, b) => a / b);
}

/** The sum of each round. */
export function total(series: readonly Rounds[]): number[] {
  return eachRound(series, (...values) => values.reduce((sum, value) => sum + value, 0));
}

/**
 * The MB/s that the processors allow: cores ÷ the sum of the CPU seconds per GB that each part of the work needs alone.
 */
export function cpuBound(cores: number, costs: readonly Rounds[]): number[] {
  return total(costs).map((seconds) => (cores * 1000) / seconds);
}

function eachRound(series: readonly Rounds[], combine: (...values: number[]) => number): number[] {
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
