import { timedRun } from '../children.js';
import type { Figures } from '../figures.js';
import type { Digests } from '../sections/data-peers.js';

const OPENSSL = 'openssl';

/** Hashes a file of `bytes` as the service does. */
export async function measureDigests(figures: Figures, file: string, bytes: number): Promise<Digests> {
  const measured = async (algorithm: 'md5' | 'sha512') => {
    const { cpu, seconds, digest } = await opensslDigest(algorithm, file);
    figures.add(algorithm, OPENSSL, { megabytesPerSecond: bytes / 1e6 / seconds, cpuPerGb: cpu / (bytes / 1e9) });
    return digest;
  };
  return { md5: await measured('md5'), sha512: await measured('sha512') };
}

/** What the digests cost alone: CPU seconds per GB, of each its rounds. */
export function digestCosts(figures: Figures): number[][] {
  return ['md5', 'sha512'].map((algorithm) => figures.values(algorithm, OPENSSL, 'cpuPerGb'));
}

/** What it costs `openssl` to hash a file: CPU seconds, and the digest. */
async function opensslDigest(
  algorithm: 'md5' | 'sha512',
  path: string,
): Promise<{ cpu: number; seconds: number; digest: string }> {
  const { stdout, seconds, cpu } = await timedRun('openssl', ['dgst', '-r', `-${algorithm}`, path]);
  return { cpu, seconds, digest: stdout.split(' ')[0]! };
}
