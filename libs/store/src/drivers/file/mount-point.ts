import { readFile } from 'node:fs/promises';
import { ServiceError } from '@glance/domain';
import { ignoring } from './system-error.js';

/**
 * The mount point that a directory is in, so that nothing is written into the empty directory that is left when its
 * file system is not mounted. Asks the kernel, not the file system, which may hang.
 */
export class MountPoint {
  readonly #directory: string;
  #expected: string | undefined;

  /** `expected`: where a file system must be mounted. Without it, where the first look finds one. */
  constructor(directory: string, expected?: string) {
    this.#directory = directory;
    this.#expected = expected;
  }

  /** `StoreUnavailable` while the file system is not mounted. */
  async check(): Promise<void> {
    const mounted = await mountPoints();
    // Not Linux: nobody knows.
    if (mounted === undefined) return;
    this.#expected ??= mounted
      .filter((point) => isIn(this.#directory, point))
      .reduce((deepest, point) => (point.length > deepest.length ? point : deepest), '/');
    if (mounted.includes(this.#expected)) return;
    throw new ServiceError('StoreUnavailable', 'The file system of the store is not mounted.');
  }
}

/** Whether a file system is mounted at a path; where nobody can tell, it is. */
export async function isMountPoint(path: string): Promise<boolean> {
  return (await mountPoints())?.includes(path) ?? true;
}

function isIn(directory: string, point: string): boolean {
  return point === '/' || directory === point || directory.startsWith(`${point}/`);
}

/** From the fifth field of each line: see proc_pid_mountinfo(5). */
async function mountPoints(): Promise<string[] | undefined> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(ignoring('ENOENT'));
  return table
    ?.split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) => point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))));
}
