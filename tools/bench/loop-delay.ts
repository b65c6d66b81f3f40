import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Milliseconds by which an event loop came too late. */
export interface LoopDelay {
  readonly max: number;
  readonly p99: number;
}

/** Asks every process that `loop-delay.mjs` watches, and lets it begin anew; answers with the worst. */
export async function askLoopDelay(directory: string): Promise<LoopDelay | undefined> {
  const sockets = await readdir(directory);
  if (sockets.length === 0) return undefined;
  const delays = await Promise.all(
    sockets.map(async (name) => JSON.parse(await text(connect(join(directory, name)))) as LoopDelay),
  );
  return { max: Math.max(...delays.map(({ max }) => max)), p99: Math.max(...delays.map(({ p99 }) => p99)) };
}
