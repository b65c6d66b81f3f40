// Preloaded into the service under test: measures its event loop and tells who asks on a Unix socket.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const directory = process.env['GLANCE_BENCH_LOOP_DELAY'];
if (isMainThread && directory) {
  const resolution = 5;
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  // What Node reports is the time between two ticks of a timer; the delay is what goes beyond its period.
  const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution);
  createServer((asker) => {
    asker.on('error', () => {});
    asker.end(JSON.stringify({ max: milliseconds(delays.max), p99: milliseconds(delays.percentile(99)) }));
    delays.reset();
  })
    .listen({ path: join(directory, `${process.pid}.sock`), exclusive: true })
    .unref();
}
