import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What to do with a command that fails: throw with its output (default), or answer with it. */
  readonly failure?: 'throw' | 'answer';
  /** What the command finds at its standard input: nothing that it could read (default), or the end of a file. */
  readonly input?: 'closed' | 'empty';
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end and answers with what it wrote. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  // glance: sends whatever stands at its standard input as the data of the image, unless that is closed or a terminal.
  const input = options.input === 'empty' ? '</dev/null' : '<&-';
  const child = spawn('sh', ['-c', `exec "$0" "$@" ${input}`, command, ...args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
  });
  child.stdin.end();
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.setEncoding('utf8').toArray(),
    child.stderr.setEncoding('utf8').toArray(),
    new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve)),
  ]);
  const result = { code, stdout: stdout.join(''), stderr: stderr.join('') };
  if (code !== 0 && options.failure !== 'answer') {
    throw new Error(`${[command, ...args].join(' ')} failed (${code}):\n${result.stdout}${result.stderr}`);
  }
  return result;
}
