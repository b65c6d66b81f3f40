import { Counter, Gauge } from 'prom-client';
import { inTime } from '../asker.js';

/** One value, or one for each set of labels. */
type Samples = number | readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

/** A metric whose value is looked up when somebody asks; with a name that ends in `_total` it only ever grows. */
export interface Definition {
  readonly help: string;
  readonly labels?: readonly string[];
}

interface Known {
  readonly metric: Counter | Gauge;
  readonly labelled: boolean;
}

type Found<K extends string> = { readonly [name in K]?: Samples };

/** Metrics that are looked up together. */
export interface Source {
  /** Sets them to what they are at this moment, or, when that cannot be found out, to nothing. */
  read(): Promise<void>;
}

/** Milliseconds that looking may take. Prometheus waits for ten seconds by default, and supervisors for less. */
const patience = 1_000;

/**
 * Metrics that `look` finds the values of. One that does not answer is not asked again before it does. There are no
 * values meanwhile, for old ones would look like new ones.
 */
export function source<K extends string>(
  definitions: Readonly<Record<K, Definition>>,
  look: () => Promise<Found<K>>,
): Source {
  const metrics = Object.entries<Definition>(definitions).map(([name, { help, labels = [] }]) => {
    const settings = { name, help, labelNames: [...labels] };
    const metric = name.endsWith('_total') ? new Counter(settings) : new Gauge(settings);
    return [name as K, { metric, labelled: labels.length > 0 }] as const;
  });
  const nothing: Found<K> = {};
  let looking: Promise<Found<K>> | undefined;
  return {
    async read() {
      looking ??= look().finally(() => (looking = undefined));
      const found = await inTime(
        looking.catch(() => nothing),
        patience,
        nothing,
      );
      for (const [name, metric] of metrics) set(metric, found[name]);
    },
  };
}

function set({ metric, labelled }: Known, samples: Samples | undefined): void {
  metric.reset();
  // One without labels is back to 0 then, and that is a value.
  if (samples === undefined && !labelled) metric.remove();
  if (typeof samples === 'number') metric.inc(samples);
  else for (const [labels, value] of samples ?? []) metric.inc(labels, value);
}
