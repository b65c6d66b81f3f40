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
  return judged([command, ...args], { code, stdout: stdout.join(''), stderr: stderr.join('') }, options);
}

/** The result of a command, unless it is one to throw. */
export function judged(
  words: readonly string[],
  result: CommandResult,
  { failure }: Pick<CommandOptions, 'failure'>,
): CommandResult {
  const { code, stdout, stderr } = result;
  if (code !== 0 && failure !== 'answer') throw new Error(`${words.join(' ')} failed (${code}):\n${stdout}${stderr}`);
  return result;
}
