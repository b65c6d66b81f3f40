import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServerProcess {
  readonly pid: number;
  /** How it ended; null for the one of both that does not apply. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Both output streams so far. */
  log(): string;
  /** To the process and all that it started. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL for what is left of the process group once the process itself is gone. */
  stop(): Promise<void>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Asked again and again until true. */
  readonly ready: () => Promise<boolean>;
  /** Milliseconds until `ready` must be true; 30,000 if absent. */
  readonly patience?: number;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/**
 * Starts a server and waits until it is ready; throws with its output if it ends before. It never outlives this
 * process: its process group is killed when this one exits, and the kernel kills it if this one cannot do that.
 */
export async function startProcess(server: ServerCommand): Promise<ServerProcess> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', server.command, ...server.args], {
    env: server.env ?? process.env,
    cwd: server.cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    signalGroup(child, signal);
    await exited;
    signalGroup(child, 'SIGKILL');
    running.delete(child);
  };
  const started: ServerProcess = {
    pid: child.pid!,
    exited,
    log: () => output,
    signal: (name) => signalGroup(child, name),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
  await untilReady(server, started);
  return started;
}

async function untilReady(server: ServerCommand, started: ServerProcess): Promise<void> {
  const deadline = Date.now() + (server.patience ?? 30_000);
  const running = Symbol('running');
  while (!(await server.ready())) {
    const state = await Promise.race([started.exited, delay(25, running)]);
    if (state !== running) throw new Error(`${server.command} ended before it was ready:\n${started.log()}`);
    if (Date.now() > deadline) {
      await started.kill();
      throw new Error(`${server.command} did not become ready in time:\n${started.log()}`);
    }
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
