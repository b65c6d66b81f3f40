import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const running = new Set<ChildProcess>();
const temporary = new Set<string>();

/** Ends every child process, waits for it, and removes every temporary directory. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...running].map((child) => end(child)));
  for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
  temporary.clear();
}

// The last resort, when nothing asynchronous can run any more.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
});

/** A directory that is gone when the benchmark ends. */
export async function temporaryDirectory(inside: string): Promise<string> {
  const directory = await mkdtemp(join(inside, 'glance-bench-'));
  temporary.add(directory);
  return directory;
}

/** Asks a child to end, and makes it after ten seconds. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(impatience);
}

/** Starts a server whose output goes to a file; `ended` tells when it ends, and how. */
export function startServer(
  command: string,
  args: readonly string[],
  options: { log: string; env?: NodeJS.ProcessEnv },
): { child: ChildProcess; ended: Promise<string> } {
  const log = openSync(options.log, 'a');
  const child = spawn(command, args, { stdio: ['ignore', log, log], env: options.env ?? process.env });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`${command} ended (${signal ?? `exit code ${code ?? '?'}`}).`));
  });
  track(child);
  return { child, ended };
}

/** The end of a log. */
export function lastWords(log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}

/** Runs a command to its end and answers with what it wrote; fails when it fails. */
export async function run(command: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  track(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0)
    throw new Error(`${[command, ...args].join(' ')} failed (exit code ${code ?? '?'}): ${stderr.trim()}`);
  return { stdout, stderr };
}

/** Runs a command as `run` does, and says what it took: wall-clock and CPU seconds. */
export async function timedRun(
  command: string,
  args: readonly string[],
): Promise<{ stdout: string; seconds: number; cpu: number }> {
  // Only a shell tells a child's own CPU time to the millisecond.
  const script = 'TIMEFORMAT=\'%R %U %S\'; time "$0" "$@"';
  const { stdout, stderr } = await run('bash', ['-c', script, command, ...args]);
  const [seconds, user, system] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number);
  return { stdout, seconds: seconds!, cpu: user! + system! };
}

/** A TypeScript file that calls `serveJobs` in a process of its own, which answers one job at a time. */
export class Worker<Job, Result> {
  readonly #child: ChildProcess;
  readonly #name: string;

  constructor(file: URL) {
    const typescript = fileURLToPath(new URL('typescript.mjs', import.meta.url));
    this.#name = basename(file.pathname, '.ts');
    this.#child = spawn(process.execPath, ['--import', typescript, fileURLToPath(file)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    track(this.#child);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async call(job: Job): Promise<Result> {
    const stop = new AbortController();
    const reply = once(this.#child, 'message', { signal: stop.signal });
    const exit = once(this.#child, 'exit', { signal: stop.signal });
    this.#child.send(job as object);
    try {
      const first = (await Promise.race([reply, exit.then(() => [undefined])])) as [Answer<Result> | undefined];
      if (!first[0]) throw new Error(`The ${this.#name} process ended in the middle of a job.`);
      if ('error' in first[0]) throw new Error(first[0].error);
      return first[0].result;
    } finally {
      stop.abort();
      // The loser of the race was aborted just now.
      await Promise.allSettled([reply, exit]);
    }
  }

  async stop(): Promise<void> {
    await end(this.#child);
  }
}

type Answer<Result> = { result: Result } | { error: string };

function track(child: ChildProcess): void {
  running.add(child);
  const forget = () => running.delete(child);
  child.once('exit', forget);
  child.once('error', forget);
}
