import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, collectDefaultMetrics, Gauge, type MetricObject, register } from 'prom-client';
import { inTime } from '../asker.js';
import { version } from '../version.js';
import type { Source } from './source.js';

type Metrics = readonly MetricObject[];

/** Milliseconds in which the workers of a program must have answered; one that does not is left out. */
const patience = 2_000;

const sources: Source[] = [];

/** What every process tells of itself. `worker` is the number of a worker among those of a program, from 1. */
export function describeProcess(program: string, worker: string | undefined): void {
  if (worker !== undefined) register.setDefaultLabels({ worker });
  collectDefaultMetrics();
  const build = new Gauge({
    name: 'glance_build_info',
    help: 'Always 1: which program this is.',
    labelNames: ['program', 'version', 'node_version'],
  });
  build.set({ program, version, node_version: process.versions.node }, 1);
}

/** Also looks these up from now on. */
export function expose(...more: readonly Source[]): void {
  sources.push(...more);
}

/** The type of `exposition`. */
export const contentType: string = register.contentType;

/** All metrics of this program in the text format of Prometheus; in a worker, those of all workers. */
export async function exposition(): Promise<string> {
  if (!cluster.isWorker) return textOf([await own()]);
  const answer = Promise.withResolvers<readonly Metrics[]>();
  const id = crypto.randomUUID();
  const listen = (message: unknown): void => {
    if (isMessage(message, 'gathered') && message.id === id) answer.resolve(message.metrics);
  };
  process.on('message', listen);
  process.send!({ glance: 'gather', id } satisfies Message);
  try {
    return await textOf(await inTime(answer.promise, 2 * patience, [await own()]));
  } finally {
    process.off('message', listen);
  }
}

/** In a worker: lets the process that started it ask for its metrics. */
export function answerForMetrics(): void {
  process.on('message', (message: unknown) => {
    if (!isMessage(message, 'ask')) return;
    void own().then((metrics) => process.send?.({ glance: 'told', id: message.id, metrics } satisfies Message));
  });
}

/** In the process that started workers: one that is asked for metrics gets those of all, and of this process. */
export function gatherMetrics(worker: Worker): void {
  worker.on('message', (message: unknown) => {
    if (!isMessage(message, 'gather')) return;
    const workers = Object.values(cluster.workers ?? {}).filter((each) => each !== undefined);
    void Promise.all([own(), ...workers.map(metricsOf)]).then((metrics) => {
      if (worker.isConnected()) worker.send({ glance: 'gathered', id: message.id, metrics } satisfies Message);
    });
  });
}

async function own(): Promise<Metrics> {
  await Promise.all(sources.map((source) => source.read()));
  return register.getMetricsAsJSON();
}

async function metricsOf(worker: Worker): Promise<Metrics> {
  const answer = Promise.withResolvers<Metrics>();
  const id = crypto.randomUUID();
  const listen = (message: unknown): void => {
    if (isMessage(message, 'told') && message.id === id) answer.resolve(message.metrics);
  };
  worker.on('message', listen);
  try {
    if (worker.isConnected()) worker.send({ glance: 'ask', id } satisfies Message);
    return await inTime(answer.promise, patience, []);
  } finally {
    worker.off('message', listen);
  }
}

// Their samples differ by the label `worker`: nothing is added up, so a worker that is replaced begins its own counters
// anew, and no sum goes down.
function textOf(all: readonly Metrics[]): Promise<string> {
  return AggregatorRegistry.aggregate([...all]).metrics();
}

/** What workers and the process that started them tell each other. */
type Message = { readonly id: string } & (
  | { readonly glance: 'gather' }
  | { readonly glance: 'ask' }
  | { readonly glance: 'told'; readonly metrics: Metrics }
  | { readonly glance: 'gathered'; readonly metrics: readonly Metrics[] }
);

function isMessage<K extends Message['glance']>(message: unknown, kind: K): message is Extract<Message, { glance: K }> {
  return (message as Partial<Message> | null)?.glance === kind;
}
