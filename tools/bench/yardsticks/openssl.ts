import { run } from '../children.js';

/** What it costs `openssl` to hash a file: CPU seconds, and the digest. */
export async function opensslDigest(
  algorithm: 'md5' | 'sha512',
  path: string,
): Promise<{ cpu: number; seconds: number; digest: string }> {
  // Only a shell tells a child's own CPU time to the millisecond.
  const script = 'TIMEFORMAT=\'%R %U %S\'; time openssl dgst -r -"$0" "$1"';
  const { stdout, stderr } = await run('bash', ['-c', script, algorithm, path]);
  const [seconds, user, system] = stderr.trim().split(' ').map(Number);
  return { cpu: user! + system!, seconds: seconds!, digest: stdout.split(' ')[0]! };
}
