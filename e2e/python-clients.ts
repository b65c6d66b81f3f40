import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type CommandOptions, type CommandResult, judged } from './command.js';
import { root } from './service.js';

type Program = 'glance' | 'openstack';
type Ended = (code: number) => void;

interface Starter {
  readonly process: ChildProcess;
  /** Who waits for the end of which command. */
  readonly waiting: Map<string, { ended: Ended; failed: (reason: Error) => void }>;
}

const starters = new Map<Program, Starter>();

/** Runs a command of one of Debian's OpenStack clients, as `run` does, without the time that Python takes to start. */
export async function runClient(
  program: Program,
  args: readonly string[],
  options: CommandOptions & { readonly cwd: string },
): Promise<CommandResult> {
  const { process: starter, waiting } = starters.get(program) ?? start(program);
  const id = randomUUID();
  const [stdout, stderr] = [1, 2].map((number) => join(tmpdir(), `${id}-${number}`)) as [string, string];
  const order = { id, args, cwd: options.cwd, env: options.env, input: options.input ?? 'closed', stdout, stderr };
  const code = await new Promise<number>((ended, failed) => {
    waiting.set(id, { ended, failed });
    starter.stdin!.write(`${JSON.stringify(order)}\n`);
  });
  const written = await Promise.all([stdout, stderr].map((file) => readFile(file, 'utf8')));
  await Promise.all([stdout, stderr].map((file) => rm(file)));
  return judged([program, ...args], { code, stdout: written[0]!, stderr: written[1]! }, options);
}

function start(program: Program): Starter {
  const process = spawn('/usr/bin/python3', [join(root, 'e2e/python-clients.py'), program], {
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: tmpdir() },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting: Starter['waiting'] = new Map();
  createInterface(process.stdout).on('line', (line) => {
    const { id, code } = JSON.parse(line) as { id: string; code: number };
    waiting.get(id)!.ended(code);
    waiting.delete(id);
  });
  process.on('exit', (code) => {
    for (const { failed } of waiting.values()) failed(new Error(`What runs ${program} has ended with ${code}.`));
  });
  // It ends when this process does.
  process.unref();
  for (const stream of [process.stdin, process.stdout]) (stream as unknown as Socket).unref();
  const starter = { process, waiting };
  starters.set(program, starter);
  return starter;
}
