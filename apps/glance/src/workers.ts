import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Logger } from '@glance/domain';
import type { DatabaseSettings } from '@glance/registry';
import { Counter } from 'prom-client';
import { gatherMetrics } from './metrics/exposition.js';
import type { Running } from './program.js';

/** The variable that tells a worker its number. */
export const workerVariable = 'GLANCE_WORKER';

const deaths = new Counter({
  name: 'glance_worker_deaths_total',
  help: 'Workers that ended before they were told to.',
});

/** Milliseconds before a worker that died is replaced, so that one that cannot start does not keep the machine busy. */
const pause = 1000;

/** Milliseconds between two signs of life of a worker, and how often one may be missing. */
const heartbeat = 1000;
const missed = 30;

/** In a worker: lets the process that started it see that the event loop turns. */
export function showLife(): void {
  setInterval(() => process.send?.('alive'), heartbeat).unref();
}

/** Kills a worker whose event loop does not turn any more: it holds connections that it does not serve. */
function watch(worker: Worker, logger: Logger): void {
  let silent = 0;
  worker.on('message', () => (silent = 0));
  // Counted in turns of this loop, not by the clock: a machine that slept has not made anybody miss anything.
  const timer = setInterval(() => {
    if (++silent < missed) return;
    clearInterval(timer);
    logger.error(`Worker ${worker.process.pid} has not reacted for ${missed} seconds and is killed.`);
    worker.process.kill('SIGKILL');
  }, heartbeat);
  worker.once('exit', () => clearInterval(timer));
}

/** How many processes serve requests. */
export function workerCount(configured: number | undefined, database: DatabaseSettings): number {
  if (configured !== undefined) return Math.max(configured, 1);
  return database.connection?.startsWith('mysql') ? Math.min(availableParallelism(), 8) : 1;
}

/** Runs this program `count` times, on one port, and replaces those that die. */
export function startWorkers(count: number, logger: Logger): Running {
  let stopping = false;
  const timers = new Set<NodeJS.Timeout>();
  const start = (number: number): void => {
    const worker = cluster.fork({ [workerVariable]: String(number) });
    watch(worker, logger);
    gatherMetrics(worker);
    worker.once('exit', (code, signal) => {
      if (stopping) return;
      logger.error(`Worker ${worker.process.pid} ended (code ${code}, signal ${signal}); another takes its place.`);
      deaths.inc();
      const timer = setTimeout(() => {
        timers.delete(timer);
        start(number);
      }, pause);
      timers.add(timer);
    });
  };
  process.on('SIGHUP', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGHUP');
  });
  for (let number = 1; number <= count; number++) start(number);
  logger.info(`Started ${count} workers.`);
  return {
    async stop() {
      stopping = true;
      for (const timer of timers) clearTimeout(timer);
      const workers = Object.values(cluster.workers!).filter((worker) => worker !== undefined);
      await Promise.all(
        workers.map(async (worker) => {
          const ended = once(worker, 'exit');
          worker.process.kill('SIGTERM');
          await ended;
        }),
      );
    },
  };
}
