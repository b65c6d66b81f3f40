import cluster from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Logger } from '@glance/domain';
import type { DatabaseSettings } from '@glance/registry';
import type { Running } from './program.js';

/** Milliseconds before a worker that died is replaced, so that one that cannot start does not keep the machine busy. */
const pause = 1000;

/** How many processes serve requests. */
export function workerCount(configured: number | undefined, database: DatabaseSettings): number {
  if (configured !== undefined) return Math.max(configured, 1);
  return database.connection?.startsWith('mysql') ? Math.min(availableParallelism(), 8) : 1;
}

/** Runs this program `count` times, on one port, and replaces those that die. */
export function startWorkers(count: number, logger: Logger): Running {
  let stopping = false;
  const timers = new Set<NodeJS.Timeout>();
  const start = (): void => {
    const worker = cluster.fork();
    worker.once('exit', (code, signal) => {
      if (stopping) return;
      logger.error(`Worker ${worker.process.pid} ended (code ${code}, signal ${signal}); another takes its place.`);
      const timer = setTimeout(() => {
        timers.delete(timer);
        start();
      }, pause);
      timers.add(timer);
    });
  };
  for (let i = 0; i < count; i++) start();
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
